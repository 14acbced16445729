"""Where a topology can live: each target gives clients, endpoints, capabilities and fidelity."""
