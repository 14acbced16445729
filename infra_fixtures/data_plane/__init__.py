"""Real processes that carry traffic and obey what the control plane says."""
