"""Tests of traffic/: a real Locust process against a real HTTP service and a real name server, all on loopback."""
