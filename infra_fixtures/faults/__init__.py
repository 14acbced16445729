"""Faults, one a file: each a context manager that journals its undo first and always heals."""
