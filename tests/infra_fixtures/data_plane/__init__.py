"""Tests of the embedded data plane."""
