"""The application under test: order API, failover controller, canary."""
