"""Tests of the targets that are not embedded alone."""
