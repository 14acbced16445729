"""The parts that make a day of drills."""
