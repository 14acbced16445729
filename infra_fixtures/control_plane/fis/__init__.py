"""AWS Fault Injection Service: templates and experiments whose actions are done to the run's own resources."""
