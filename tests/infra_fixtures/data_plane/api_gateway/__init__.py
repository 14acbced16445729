"""Tests of the API Gateway, with a real control plane and real functions behind it."""
