"""Tests of the stage, by game days as people run them: `python -m pytest scenarios` in a process of its own."""
