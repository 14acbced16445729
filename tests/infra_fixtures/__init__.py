"""Tests of provisioning, planes, faults and safety."""
