"""EventBridge rules on a schedule, of one region."""
