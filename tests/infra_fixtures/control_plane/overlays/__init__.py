"""Tests of how moto is mended."""
