"""Tests of the traffic side."""
