"""The attach target: a system that stands already, as its owner describes it; nothing of it is made or removed."""
