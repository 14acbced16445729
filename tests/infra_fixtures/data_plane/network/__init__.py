"""Tests of the links and of what rules them."""
