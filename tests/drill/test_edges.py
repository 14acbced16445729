"""How often the brackets of an outage's edges cover the truth, over many outages drawn by chance."""

from __future__ import annotations

import numpy as np
import pytest

from drill.measure.outage import Outage, find_outages

TRUTHS = 300
STRAYS = 0.003
WINDOW_NS = 500_000_000


def drawn(seed: int, share: float, strays: float = STRAYS) -> tuple[int, int, Outage | None]:
    """(begin, end, the last outage found) of an outage in which `share` of the requests fail, 200 a second."""
    chance = np.random.default_rng([seed, round(share * 100)])
    before, down, after = (int(chance.integers(a, b)) for a, b in ((100, 300), (60, 400), (200, 600)))
    rates = np.repeat([strays, share, strays], [before, down, after])
    bad = chance.random(rates.size) < rates
    due = np.arange(bad.size) * 5_000_000
    found = find_outages(due, bad, np.zeros(bad.size, np.int32), 0.01, WINDOW_NS)
    return before, before + down, found.last


@pytest.mark.parametrize(
    ("share", "unseen", "missed"),
    [(1.0, 0, 0), (0.97, 0, 0), (0.9, 0, 0), (0.7, 0, 1), (0.5, 0, 1), (0.3, 0, 3), (0.2, 1, 3), (0.1, 15, 6)],
)
def test_the_brackets_cover_the_truth(share: float, unseen: int, missed: int) -> None:
    """At most so many of 300 outages go unseen or have an edge outside its bracket, however few of the requests fail."""
    outages = [drawn(seed, share) for seed in range(TRUTHS)]
    found = [(begin, end, o) for begin, end, o in outages if o is not None]
    assert len(found) >= TRUTHS - unseen
    ends = [o.ends_after < end and (o.ends_before is None or o.ends_before >= end) for _, end, o in found]
    begins = [(o.begins_after is None or o.begins_after < begin) and o.begins_before >= begin for begin, _, o in found]
    assert ends.count(False) <= missed
    assert begins.count(False) <= missed


def test_a_whole_outage_is_told_to_a_request() -> None:
    """Where every request fails and none elsewhere, each bracket holds at most two requests beyond the edge."""
    for seed in range(TRUTHS):
        begin, end, found = drawn(seed, 1.0, strays=0.0)
        assert found is not None
        assert found.begins_after is not None
        assert found.ends_before is not None
        assert (found.first_bad, found.last_bad, found.first_good) == (begin, end - 1, end)
        assert begin - 3 <= found.begins_after <= begin - 1
        assert end <= found.ends_before <= end + 2


def test_a_chance_cluster_is_no_outage_of_its_own() -> None:
    """Half of the requests fail to the end; the five bad ones in a row before the last good ones do not tighten it."""
    text = (
        "X.XX.X.XX...XX..X.XX...X.XXXX.X.XX.XXXX.XXX.XXX....XXX.X...XXXX...X....XX.X....X..X.XX..XXXX....X..X.X.X....X"
    )
    bad = np.array([c == "X" for c in f"{text}.......X...XXXXX...." + "." * 200])
    due = np.arange(bad.size) * 5_000_000
    (found,) = find_outages(due, bad, np.zeros(bad.size, np.int32), 0.01, WINDOW_NS).found
    true_end = len(text) + 20
    assert found.ends_before is not None
    assert found.ends_before >= true_end


def test_two_sharp_outages_stay_two() -> None:
    """Service that was up for twenty requests between two outages of five was up."""
    bad = np.array([c == "X" for c in "." * 100 + "XXXXX" + "." * 20 + "XXXXX" + "." * 200])
    due = np.arange(bad.size) * 5_000_000
    found = find_outages(due, bad, np.zeros(bad.size, np.int32), 0.01, WINDOW_NS).found
    assert [(o.first_bad, o.last_bad) for o in found] == [(100, 104), (125, 129)]
