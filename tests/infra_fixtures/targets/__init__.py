"""Targets: what stands up is whole, what is torn down is gone, what cannot stand says why."""
