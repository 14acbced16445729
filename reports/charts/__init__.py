"""Pictures of a drill: what clients saw over time, where the recovery's seconds went, and figures over many runs."""

import os

# matplotlib refuses to be imported where the host's own setting names a backend that it does not know.
os.environ["MPLBACKEND"] = "Agg"

from reports.charts.lost_seconds import waterfall
from reports.charts.timeline import timeline

__all__ = ["timeline", "waterfall"]
