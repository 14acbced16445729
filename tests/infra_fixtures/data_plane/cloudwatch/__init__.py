"""Tests of CloudWatch's alarms."""
