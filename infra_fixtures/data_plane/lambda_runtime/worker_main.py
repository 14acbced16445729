"""What a worker process runs: AWS's runtime interface client, in a Python that sees only what Lambda would offer.

Run by path as `python -I -S worker_main.py PARENT_PID HANDLER`; it may import nothing of this project. The process dies
with its parent, however that ends (prctl PR_SET_PDEATHSIG), so a killed region leaves no workers.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind this life to the parent's, lay out sys.path as Lambda does, and hand over to awslambdaric."""
    parent, handler = int(sys.argv[1]), sys.argv[2]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    sys.path[:] = [os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"], *sys.path]
    sys.argv = ["bootstrap", handler]

    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main()
