"""Aurora: a PostgreSQL pair with asynchronous streaming replication that obeys the RDS API."""
