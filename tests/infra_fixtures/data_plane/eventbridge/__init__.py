"""Tests of infra_fixtures.data_plane.eventbridge."""
