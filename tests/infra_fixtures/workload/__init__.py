"""Tests of the application under test."""
