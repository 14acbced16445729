"""The core: what happened (history), how bad (measure), good enough (objective), and the proof (evidence)."""
