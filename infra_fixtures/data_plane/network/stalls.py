"""When one direction of a connection stands still: the random moments of its stalls (see `link_rule.LinkRule`)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from infra_fixtures.data_plane.network.conditions import Stall

FORGET_AFTER = 100
"""Cycles without traffic after which the moments are drawn anew instead of one by one: the process has no memory."""


class StallClock:
    """One direction's stalls, drawn only as far as something is sent; times in seconds of one clock."""

    def __init__(self) -> None:
        self._spans: dict[Stall, tuple[float, float]] = {}

    def passes_at(self, at_s: float, stalls: Sequence[Stall]) -> float:
        """When what is to be sent at `at_s` gets on its way: then, or when the stall that holds it is over."""
        for gone in self._spans.keys() - set(stalls):
            del self._spans[gone]
        for stall in stalls:
            begin, end = self._span(stall, at_s)
            if begin <= at_s:
                at_s = end
        return at_s

    def _span(self, stall: Stall, at_s: float) -> tuple[float, float]:
        """The stall that holds what is sent at `at_s`, or the next one."""
        span = self._spans.get(stall)
        if span is None or at_s - span[1] > FORGET_AFTER * (stall.every_s + stall.for_s):
            span = _drawn(stall, at_s)
        while span[1] <= at_s:
            span = _next(stall, span[1])
        self._spans[stall] = span
        return span


def _next(stall: Stall, after_s: float) -> tuple[float, float]:
    begin = after_s + random.expovariate(1 / stall.every_s)
    return begin, begin + stall.for_s


def _drawn(stall: Stall, at_s: float) -> tuple[float, float]:
    """As an observer finds it who comes at any moment: within a stall, as often as stalls take of the time, or before one.

    A connection that carries one question and its answer is so held up as often as any other.
    """
    if random.random() < stall.for_s / (stall.every_s + stall.for_s):
        end = at_s + random.uniform(0.0, stall.for_s)
        return at_s, end
    return _next(stall, at_s)
