"""A service with a scripted truth: what the calibration is made of; benchmarks/calibration.py runs it."""
