"""Pictures of a drill: what clients saw over time, where the recovery's seconds went, and figures over many runs."""

import atexit
import logging
import os
import shutil
import tempfile
from pathlib import Path

# matplotlib refuses to be imported where the host's own setting names a backend that it does not know.
os.environ["MPLBACKEND"] = "Agg"
# That a user has no home to keep the fonts' index in is not worth two lines before every report.
logging.getLogger("matplotlib").setLevel(logging.ERROR)


def _has_home() -> bool:
    try:
        return Path.home().is_dir()
    except (RuntimeError, OSError):
        return False


if not _has_home() and not os.environ.get("MPLCONFIGDIR"):
    # matplotlib makes the home of a user who has none, where it may: then the index is kept for this process alone.
    os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(prefix="matplotlib-")
    atexit.register(shutil.rmtree, os.environ["MPLCONFIGDIR"], ignore_errors=True)
