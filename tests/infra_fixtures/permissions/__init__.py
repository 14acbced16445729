"""Tests of the generated policies."""
