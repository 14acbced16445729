"""Data cut into windows, and the statistics over them."""

from __future__ import annotations

from typing import Any

import pytest

from infra_fixtures.data_plane.cloudwatch.series import Datum, Series, statistic_of

KEY = ("N", "M", (("Region", "us-east-1"),))
START = 1_700_000_040.0  # a whole minute, at pace 1 and at pace 10


def datum(at: float, value: float, **more: Any) -> Datum:
    """A single high-resolution value that arrived when it was stamped."""
    base = {"arrived": at, "resolution_s": 1, "count": 1, "sum": value, "min": value, "max": value}
    return Datum(*KEY[:2], KEY[2], at, **{**base, **more})


def cut(series: Series, windows: int = 3, window_s: float = 1.0, unit: str | None = None) -> list[float | None]:
    """Maxima of the windows that end three seconds after START."""
    return series.points(KEY, "Maximum", unit, end=START + 3, window_s=window_s, windows=windows)


def test_windows_begin_with_their_first_instant() -> None:
    """A datum on a boundary belongs to the window it begins; one at the end to none; an empty window is None."""
    series = Series(10)
    for at, value in ((START, 1.0), (START + 0.999, 2.0), (START + 2, 3.0), (START + 3, 9.0)):
        series.add(datum(at, value))
    assert cut(series) == [2.0, None, 3.0]


def test_other_dimensions_and_units_are_other_data() -> None:
    """A metric with fewer dimensions is another metric; a unit, where asked for, must agree."""
    series = Series(10)
    series.add(datum(START + 2.5, 1.0, unit="Count"))
    assert series.points(("N", "M", ()), "Sum", None, end=START + 3, window_s=1, windows=1) == [None]
    assert (cut(series, 1), cut(series, 1, unit="Count"), cut(series, 1, unit="Seconds")) == ([1.0], [1.0], [None])


def test_standard_resolution_is_kept_by_the_paced_minute() -> None:
    """Without StorageResolution=1 a ten-second alarm finds data in the minute's first period only."""
    series = Series(10)
    series.add(datum(START + 2.5, 1.0, resolution_s=60))
    assert cut(series) == [1.0, None, None]


def test_a_stamp_in_whole_seconds_means_its_arrival() -> None:
    """An SDK that stamps whole seconds does not put a datum into a paced period long past."""
    series = Series(10)
    series.add(datum(START + 2, 1.0, arrived=START + 2.8))
    assert cut(series, 4, 0.25) == [None, None, None, 1.0]


def test_forgotten_data_are_gone() -> None:
    """What lies before the horizon no longer counts."""
    series = Series(10)
    series.add(datum(START, 1.0))
    series.forget(START + 1)
    assert cut(series) == [None, None, None]


@pytest.mark.parametrize(
    ("statistic", "value"),
    [("SampleCount", 5), ("Sum", 20), ("Average", 4), ("Minimum", 1), ("Maximum", 9), ("p50", 3), ("p99", 9)],
)
def test_statistics_over_values_and_sets(statistic: str, value: float) -> None:
    """1, 3, 3, 4 and 9; percentiles count a value as often as it was put."""
    data = [datum(START, 1.0), datum(START, 3.0, count=2, sum=6.0), datum(START, 4.0), datum(START, 9.0)]
    assert statistic_of(data, statistic) == pytest.approx(value)


def test_no_percentile_of_a_spread_set() -> None:
    """A statistic set that spans values has no ranks: no figure rather than a wrong one."""
    assert statistic_of([datum(START, 0.0, count=9, sum=20.0, max=5.0)], "p99") is None
