"""What is measured and how: one benchmark a file, `make bench` runs them all.

Every module here is a benchmark: its docstring says what is measured and how, and `measure()` yields its figures.
There is no registry; `benchmarks/measuring/` holds what they share.
"""
