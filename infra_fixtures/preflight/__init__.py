"""What is looked at before a drill, and what it is refused for: one check a file (docs/permissions.md)."""
