"""Pictures of a drill: what clients saw over time, where the recovery's seconds went, and figures over many runs."""

from reports.charts.lost_seconds import waterfall
from reports.charts.timeline import timeline

__all__ = ["timeline", "waterfall"]
