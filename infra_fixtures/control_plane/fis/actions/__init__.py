"""What FIS does to resources: one family of actions a module, listed in `catalogue`."""
