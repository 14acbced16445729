"""Tests of the embedded control plane: the real process, spoken to with boto3."""
