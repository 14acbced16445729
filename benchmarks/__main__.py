"""`python -m benchmarks [--only NAME...] [--list] [--json FILE]`."""

import sys

from benchmarks.measuring.command import main

if __name__ == "__main__":
    sys.exit(main())
