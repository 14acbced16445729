"""The application under test on a real system: what it answers is what happened."""
