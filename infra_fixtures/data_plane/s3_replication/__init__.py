"""S3 replication as the buckets' replication rules say."""
