"""The localstack target: LocalStack as the AWS API, our data plane obeying it (docs/targets.md)."""
