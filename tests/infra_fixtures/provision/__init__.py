"""Tests of provisioning, against a real control plane."""
