"""The attach target."""
