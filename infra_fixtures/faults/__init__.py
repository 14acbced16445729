"""Faults, one a file: each a frozen value, whose undo is journalled before it is injected."""
