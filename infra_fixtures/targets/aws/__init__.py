"""The aws target: a real account, or an emulator that is used as one (docs/aws.md)."""
