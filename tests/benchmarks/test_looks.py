"""What the independent loop's lines say of an outage."""

from __future__ import annotations

import pytest

from benchmarks.measuring.figure import Failed
from benchmarks.measuring.looks import Look, outage_around, read_looks

MS = 1_000_000


def looks(pattern: str, every_ms: int = 50, takes_ms: int = 30) -> list[Look]:
    """One look a character: o good, x bad."""
    return [
        Look(i * every_ms * MS, (i * every_ms + takes_ms) * MS, "127.0.0.1", sign == "o")
        for i, sign in enumerate(pattern)
    ]


def test_an_outage_is_bounded_by_the_looks_around_it() -> None:
    """Begin and end lie between the looks that differ, whatever happened between them."""
    outage = outage_around(looks("oooxxxxoooo"), fault_ns=140 * MS, end_ns=10**12)
    assert outage.began == (100 * MS, 180 * MS)
    assert outage.ended == (300 * MS, 380 * MS)
    assert outage.seconds == pytest.approx((0.12, 0.28))
    assert outage.looks == 4


def test_a_flap_restarts_the_clock() -> None:
    """A good look among bad ones ends nothing."""
    outage = outage_around(looks("oooxxoxxooo"), fault_ns=140 * MS, end_ns=10**12)
    assert outage.ended == (350 * MS, 430 * MS)


def test_what_failed_before_the_fault_or_after_the_end_is_another_matter() -> None:
    """A hiccup in the baseline and the teardown do not lengthen the outage."""
    outage = outage_around(looks("oxooooxxooooxx"), fault_ns=290 * MS, end_ns=590 * MS)
    assert outage.began == (250 * MS, 330 * MS)
    assert outage.ended == (350 * MS, 430 * MS)


def test_a_look_that_hangs_widens_nothing() -> None:
    """Where requests hang until their limit, looks that began meanwhile still bound the outage to their interval."""
    fine = looks("oooxxxxoooo")
    hung = [look if look.good else Look(look.began_ns, look.began_ns + 1000 * MS, "-", False) for look in fine]
    assert outage_around(hung, fault_ns=140 * MS, end_ns=10**12) == outage_around(fine, 140 * MS, 10**12)


@pytest.mark.parametrize(
    ("pattern", "why"), [("ooooo", "no outage"), ("xxxoo", "no service before"), ("ooxxx", "no recovery")]
)
def test_a_loop_that_proves_nothing_says_so(pattern: str, why: str) -> None:
    """Without a look on either side there is no outage to compare."""
    with pytest.raises(Failed, match=why):
        outage_around(looks(pattern), fault_ns=0, end_ns=10**12)


def test_lines_are_read_as_the_script_writes_them() -> None:
    """Times are shifted to the drill's clock; 000 and a missing address are bad; a torn last line is left out."""
    text = "1000 1010 127.0.0.1 201\n1020 1030 - 000\n1040 1050 127.0.0.2 200\n1060 10"
    assert read_looks(text, offset_ns=1000) == [
        Look(0, 10, "127.0.0.1", True),
        Look(20, 30, "-", False),
        Look(40, 50, "127.0.0.2", True),
    ]
