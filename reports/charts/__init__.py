"""Pictures of a drill: what clients saw over time, where the recovery's seconds went, and figures over many runs."""

import logging
import os

# matplotlib refuses to be imported where the host's own setting names a backend that it does not know.
os.environ["MPLBACKEND"] = "Agg"
# That a user has no home to keep the fonts' index in is not worth two lines before every report.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
