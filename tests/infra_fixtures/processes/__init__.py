"""Tests of infra_fixtures.processes."""
