"""Where an outage ends: sharp, sparse, lucky, flapping, mild, and what is chance."""

from __future__ import annotations

import numpy as np
import pytest

from drill.measure.outage import Outages, find_outages

WINDOW_NS = 1_000_000_000


def outages(text: str, *, rate: float = 50.0, allowance: float = 0.01, strata: str = "") -> Outages:
    """Outages of a text such as "..XXX..", X being a bad request; `strata` tells kinds apart."""
    bad = np.array([c == "X" for c in text])
    due = np.round(np.arange(bad.size) / rate * 1e9).astype(np.int64)
    stratum = np.array([ord(c) - 97 for c in strata or "a" * bad.size], dtype=np.int32)
    return find_outages(due, bad, stratum, allowance, WINDOW_NS)


GOOD = "." * 300


def test_nothing_and_all_good() -> None:
    """No requests, or none that failed, are no outage."""
    assert outages("").found == ()
    assert outages(GOOD).found == ()


def test_a_sharp_outage_ends_at_its_last_failure() -> None:
    """The end lies between the last bad and the first good request."""
    (found,) = outages(GOOD + "X" * 50 + GOOD).found
    assert (found.first_bad, found.last_bad, found.first_good) == (300, 349, 350)
    assert found.ends_after <= 349
    assert found.ends_before in (350, 351)


@pytest.mark.parametrize("gap", [2, 3, 10, 60])
def test_a_chance_failure_soon_after_does_not_lengthen_it(gap: int) -> None:
    """One stray failure, however soon after the end (but for its first two requests), is chance."""
    (found,) = outages(GOOD + "X" * 100 + "." * gap + "X" + GOOD).found
    assert found.last_bad == 399


def test_lucky_successes_do_not_shorten_it() -> None:
    """3 % of successes, some in pairs, all through the outage: it is one outage to its very end."""
    down = ["X"] * 200
    for i in (5, 40, 41, 99, 150, 190):
        down[i] = "."
    (found,) = outages(GOOD + "".join(down) + GOOD).found
    assert (found.first_bad, found.last_bad) == (300, 499)


def test_a_lucky_last_request_is_within_the_bracket() -> None:
    """Where the outage's last request was lucky, the bracket still reaches past it."""
    (found,) = outages(GOOD + "X" * 29 + ".X" + "X" * 30 + "." + GOOD).found
    assert found.last_bad == 360
    assert found.ends_before is not None
    assert found.ends_before >= 361


def test_a_flap_is_an_outage_of_its_own() -> None:
    """Down, up, down, up: two outages, and recovery counts from the second."""
    found = outages(GOOD + "X" * 50 + "." * 100 + "X" * 20 + GOOD)
    assert [(o.first_bad, o.last_bad) for o in found.found] == [(300, 349), (450, 469)]
    assert found.last is not None
    assert found.last.first_good == 470


def test_the_last_clients_to_recover_count() -> None:
    """Nine in ten clients are back, the tenth goes on failing: the outage ends with the tenth."""
    tail = "X........." * 20
    found = outages(GOOD + "X" * 100 + tail + GOOD, strata="a" * 300 + "abbbbbbbbb" * 30 + "a" * 300)
    assert found.last is not None
    assert found.last.last_bad == 400 + 190


def test_a_kind_that_fails_alone_ends_between_its_own_requests() -> None:
    """Where one kind in ten fails, the good ones of other kinds do not blur the end."""
    text = ("X" + "." * 9) * 40 + "." * 400
    found = outages(GOOD + text, strata="a" * 300 + ("b" + "a" * 9) * 80)
    (outage,) = found.found
    assert outage.last_bad == 300 + 390
    assert outage.first_good == 300 + 400


def test_a_mild_lasting_shortfall_is_an_outage() -> None:
    """One failure in 33 for good, where one in 100 is allowed: never up again."""
    found = outages(GOOD + ("X" + "." * 32) * 60)
    assert found.last is not None
    assert found.last.last_bad == 300 + 33 * 59


def test_a_background_within_the_allowance_is_none() -> None:
    """One failure in 300 for good is within a third of the allowance."""
    assert outages(("." * 150 + "X" + "." * 149) * 40).found == ()


@pytest.mark.parametrize("rate", [200.0, 20.0, 1.0, 0.2])
def test_from_200_a_second_to_a_poll_every_five(rate: float) -> None:
    """Ten bad requests in a row are found at any rate, and their end is exact to one request."""
    (found,) = outages("." * 30 + "X" * 10 + "." * 60, rate=rate).found
    assert (found.last_bad, found.first_good) == (39, 40)
    assert (found.ends_after, found.ends_before) == (38, 41)


@pytest.mark.parametrize("rate", [200.0, 0.2])
def test_one_failed_request_is_chance(rate: float) -> None:
    """A single failure among a hundred is no outage."""
    assert outages("." * 50 + "X" + "." * 50, rate=rate).found == ()


def test_down_at_the_end_is_open() -> None:
    """An outage that lasts to the end has no first good request and no upper bound."""
    (found,) = outages(GOOD + "X" * 50).found
    assert found.first_good is None
    assert found.ends_before is None


def test_too_few_failures_at_the_end_are_suspect() -> None:
    """The last two requests failed: too few to call an outage, too many to be called up."""
    found = outages(GOOD + "X" * 50 + GOOD + "XX")
    assert len(found.found) == 1
    assert found.suspect == 650


def test_a_window_that_holds_its_share_is_up() -> None:
    """Six failures in a row among 2,000 requests a second leave the second above 99 %."""
    text = "." * 4000 + "X" * 6 + "." * 4000
    assert outages(text, rate=2000.0).found == ()
    assert len(outages(text, rate=100.0).found) == 1


def test_without_allowance_each_failure_counts() -> None:
    """Availability 1 leaves nothing to chance."""
    found = outages("..X...XX..", allowance=0.0)
    assert [(o.first_bad, o.last_bad, o.first_good) for o in found.found] == [(2, 2, 3), (6, 7, 8)]


@pytest.mark.parametrize("text", ["X", "XX", "X.", ".X", "XXX", "X.X.X.X", "." * 5 + "X" * 5, "X" * 500])
def test_short_and_odd_sequences_do_not_crash(text: str) -> None:
    """Whatever the sequence, indices stay within it and in order."""
    for o in outages(text).found:
        assert 0 <= o.first_bad <= o.last_bad < len(text)
        assert o.first_good is None or o.last_bad < o.first_good < len(text)
