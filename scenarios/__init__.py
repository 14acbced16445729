"""Disasters, one a file, readable by an auditor."""
