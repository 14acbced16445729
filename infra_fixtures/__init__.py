"""Stands two-region systems up, breaks them, and puts them back."""
