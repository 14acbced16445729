"""Tests of the Aurora data plane, on real PostgreSQL."""
