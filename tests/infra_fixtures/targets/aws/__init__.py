"""Tests of the aws target, against botocore's models and an emulated account."""
