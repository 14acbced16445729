"""Tests of the Route 53 data plane."""
