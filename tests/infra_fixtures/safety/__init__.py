"""Tests of journal, watchdog, sweep and lease."""
