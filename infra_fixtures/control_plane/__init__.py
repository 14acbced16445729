"""The AWS API of the embedded target: moto, with what it lacks or gets wrong put right, one overlay a file."""
