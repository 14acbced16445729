"""Applications that nobody here wrote, driven and judged by a description alone."""
