"""Every probe on a real system: what happens there is what it says, when it happens."""
