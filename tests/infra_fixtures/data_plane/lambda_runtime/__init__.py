"""Tests of the Lambda service, with a real control plane and real workers."""
