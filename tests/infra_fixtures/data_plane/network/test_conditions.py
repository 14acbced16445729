"""Rules compose to the same conditions whatever their order, and what is no rule is refused in a sentence."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.unusable import UnusableInput
from infra_fixtures.data_plane.network.conditions import Conditions, Stall, Way, compose, read_identity, read_rule
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.run_layout import Address

MS = st.floats(0, 10_000)
IDENTITIES = st.sampled_from(["a", "b", "c", "d", "e"])


@st.composite
def rules(draw: st.DrawFn) -> LinkRule:
    """Any rule that does something."""
    figures: dict[str, Any] = {
        "latency_ms": draw(MS),
        "jitter_ms": draw(MS),
        "bandwidth": draw(st.just(0.0) | st.floats(1, 1e9)),
        "cut": draw(st.booleans()),
        "refuse": draw(st.booleans()),
        "stall_every_s": draw(st.just(0.0) | st.floats(0.01, 100)),
    }
    if not any(figures.values()):
        figures["cut"] = True
    return LinkRule(
        direction=draw(st.sampled_from(["up", "down", "both"])), stall_for_ms=draw(st.floats(1, 1000)), **figures
    )


@given(st.lists(st.tuples(IDENTITIES, st.none() | rules())), st.randoms())
def test_any_order_of_putting_and_removing_comes_to_what_the_fresh_set_comes_to(
    steps: list[tuple[str, LinkRule | None]], random: Any
) -> None:
    """After any steps the conditions are those of the rules that are left, put on a new link in another order."""

    async def scene() -> None:
        nowhere = Address("127.0.0.1", 1)
        link, fresh = Link("worn", nowhere, nowhere), Link("fresh", nowhere, nowhere)
        left: dict[str, LinkRule] = {}
        for identity, rule in steps:
            if rule is None:
                assert link.remove_rule(identity) == (left.pop(identity, None) is not None)
            else:
                link.put_rule(identity, rule)
                left[identity] = rule
        order = list(left)
        random.shuffle(order)
        for identity in order:
            fresh.put_rule(identity, left[identity])
        assert link.rules == left
        assert link.conditions == fresh.conditions == compose(left)

    asyncio.run(scene())


def test_rules_compose_as_said() -> None:
    """Latencies and jitters add, the least bandwidth wins, a cut cuts its direction, a refusal refuses, stalls stand apart."""
    together = compose(
        {
            "far": LinkRule(latency_ms=50, jitter_ms=5),
            "farther": LinkRule(direction="up", latency_ms=80, jitter_ms=7, bandwidth=1000),
            "narrow": LinkRule(direction="up", bandwidth=500, refuse=True),
            "broken": LinkRule(direction="down", cut=True),
            "lossy": LinkRule(stall_every_s=2),
            "lossier": LinkRule(direction="up", stall_every_s=1, stall_for_ms=1000),
        }
    )
    lossy = Stall("lossy", 2, 0.2)
    assert together == Conditions(
        up=Way(130, 12, 500, False, (Stall("lossier", 1, 1), lossy)), down=Way(50, 5, 0, True, (lossy,)), refuse=True
    )
    assert compose({}) == Conditions()


@pytest.mark.parametrize("name", ["latency_ms", "jitter_ms", "bandwidth", "stall_every_s", "stall_for_ms"])
@pytest.mark.parametrize("figure", [-1.0, math.nan, math.inf])
def test_negative_and_boundless_figures_are_refused(name: str, figure: float) -> None:
    """The sentence names the figure."""
    with pytest.raises(ValueError, match=f"{name} is .*: it must be a finite number"):
        LinkRule(**{"cut": True, name: figure})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"latencyms": 30}', "latencyms"),
        (b'{"latency_ms": -1}', "latency_ms is -1.0"),
        (b'{"latency_ms": 1e999}', "rule is not understood"),
        (b'{"latency_ms": 1e9}', "an hour"),
        (b'{"bandwidth": 0.5}', "at least 1 byte/s"),
        (b'{"stall_every_s": 0.001}', "at least 0.01"),
        (b'{"stall_every_s": 1, "stall_for_ms": 0}', "takes no time"),
        (b'{"direction": "left", "cut": true}', "left"),
        (b'{"direction": "up"}', "changes nothing"),
        (b"", "changes nothing"),
        (b"cut", "rule is not understood"),
    ],
)
def test_what_is_no_rule_is_refused(body: bytes, words: str) -> None:
    """In one sentence that says what is wrong."""
    with pytest.raises(UnusableInput, match=words) as refusal:
        read_rule(body)
    assert "\n" not in str(refusal.value)


def test_a_rule_is_named_in_plain_characters() -> None:
    """Nobody can name a rule of the data plane's own, nor one that a path cannot hold."""
    assert read_identity("replication_cut-2.a") == "replication_cut-2.a"
    for text in ("internal:us-east-1 is lost", "", "a b", ".hidden", "x" * 65):
        with pytest.raises(UnusableInput, match="cannot name a rule"):
            read_identity(text)
