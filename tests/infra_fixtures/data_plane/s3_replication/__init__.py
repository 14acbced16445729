"""Tests of infra_fixtures.data_plane.s3_replication."""
