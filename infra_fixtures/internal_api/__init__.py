"""How the run's own processes speak to each other: changes, clients, the admin API, metrics, listening."""
