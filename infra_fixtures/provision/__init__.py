"""Creates the topology with plain boto3, one layer a file."""
