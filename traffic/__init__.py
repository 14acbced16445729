"""The Locust side: open-loop load through Route 53, every request recorded."""
