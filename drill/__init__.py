"""The core: what happened (history), how bad it was (measure), whether that is good enough (objective), and the proof."""
