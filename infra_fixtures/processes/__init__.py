"""The run's processes: started, found, limited, stopped, frozen and killed, and how they ended."""
