"""What heartbeats prove: no less than the oldest that is missing, no more than the newest that was shown."""

from __future__ import annotations

import math

from probes.heartbeats import NS, Heartbeats


def sent(*beats: tuple[float, float | None]) -> Heartbeats:
    """Heartbeats 1, 2, ... sent and acknowledged at these seconds."""
    made = Heartbeats()
    for number, (at_s, acked_s) in enumerate(beats, start=1):
        made.wrote(number, round(at_s * NS), None if acked_s is None else round(acked_s * NS))
    return made


def told(beats: Heartbeats, up_to: int, asked_s: float, answered_s: float) -> tuple[float, float]:
    """The bounds, to the microsecond, after a look that showed all up to a number."""
    beats.seen(up_to)
    least_s, most_s = beats.bounds(round(asked_s * NS), round(answered_s * NS))
    return round(least_s, 6), round(most_s, 6)


def test_a_current_copy_is_known_to_within_the_way_there_and_back() -> None:
    """All shown: 0, at most as old as the newest heartbeat was when the answer came, counted from its sending."""
    assert told(sent((0.0, 0.01), (1.0, 1.01)), 2, 1.02, 1.05) == (0.0, 0.05)


def test_a_missing_heartbeat_is_at_least_its_age_and_at_most_that_of_the_one_before() -> None:
    """The second is missing: the copy stands somewhere between the two."""
    assert told(sent((0.0, 0.01), (1.0, 1.01), (2.0, 2.01)), 1, 2.02, 2.05) == (
        1.01,
        2.05,
    )


def test_before_the_first_is_shown_nothing_bounds_it() -> None:
    """At least the age of the first; what an earlier drill left (a lower number) is none of ours."""
    assert told(sent((0.0, 0.5)), 0, 2.0, 2.1) == (1.5, math.inf)


def test_a_heartbeat_in_doubt_is_not_held_against_the_copy_but_may_show_up() -> None:
    """Not acknowledged: missing it is no lag, showing it is a proof like any other."""
    beats = sent((0.0, 0.01), (1.0, None))
    assert told(beats, 1, 3.0, 3.1) == (0.0, 3.1)
    assert told(beats, 2, 4.0, 4.1) == (0.0, 3.1)


def test_one_shown_before_is_never_taken_back() -> None:
    """A lower number later (an old heartbeat that came through last) changes nothing."""
    beats = sent((0.0, 0.01), (1.0, 1.01))
    assert told(beats, 2, 1.02, 1.05) == told(beats, 1, 1.02, 1.05)


def test_the_next_to_look_for_is_the_oldest_that_was_not_shown() -> None:
    """In the order of their numbers; None where all were."""
    beats = sent((0.0, 0.01), (1.0, 1.01))
    assert beats.oldest_unseen == 1
    beats.seen(1)
    assert beats.oldest_unseen == 2
    beats.seen(2)
    assert beats.oldest_unseen is None
