"""What benchmarks share: figures, processes beside the measured one, a private place on loopback, the command line."""
