"""Every kind of rule bites on the wire and is gone when it is taken away; of two on one link, either leaves the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.data_plane.network.linked import Stream, linked, said, silent

Dial = Callable[[], Awaitable[Stream]]
QUICK_S = 0.045
"""An exchange over a plain link, with room for a busy machine; every delay asked for here is longer."""


async def _exchange_s(stream: Stream, data: bytes = b"ping") -> float:
    """How long an exchange takes; the best of five, as a busy machine only adds."""
    took = []
    for _ in range(5):
        began = time.monotonic()
        await said(stream, data)
        took.append(time.monotonic() - began)
    return min(took)


def _on_a_link(layout: RunLayout, scene: Callable[[Link, Dial], Awaitable[None]]) -> None:
    async def run() -> None:
        async with linked(layout) as (link, dial):
            await scene(link, dial)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("rule", "least_s"),
    [
        (LinkRule(latency_ms=50), 0.100),
        (LinkRule(direction="up", latency_ms=50), 0.050),
        (LinkRule(direction="down", latency_ms=50), 0.050),
        (LinkRule(bandwidth=40), 0.200),
        (LinkRule(stall_every_s=0.01, stall_for_ms=60_000), 1.0),
    ],
    ids=["latency", "latency up", "latency down", "bandwidth", "stalls"],
)
def test_a_rule_that_delays_is_felt_and_gone_when_taken_away(layout: RunLayout, rule: LinkRule, least_s: float) -> None:
    """Exchanges take as long as the rule says, and are quick again afterwards, also those that were on their way."""

    async def scene(link: Link, dial: Dial) -> None:
        stream = await dial()
        assert await _exchange_s(stream) < QUICK_S
        link.put_rule("slow", rule)
        began = time.monotonic()
        pending = asyncio.create_task(said(stream, b"ping"))
        if least_s < 1:
            await pending
            assert time.monotonic() - began >= least_s
            assert least_s <= await _exchange_s(stream) < least_s + QUICK_S
        else:
            assert not (await asyncio.wait([pending], timeout=0.2))[0]
        assert link.remove_rule("slow")
        assert await pending == b"ping"
        assert await _exchange_s(stream) < QUICK_S

    _on_a_link(layout, scene)


def test_jitter_spreads_delays(layout: RunLayout) -> None:
    """Of thirty exchanges over a jitter of 40 ms each way some are quick and some are not; without it all are quick."""

    async def scene(link: Link, dial: Dial) -> None:
        stream = await dial()
        link.put_rule("jitter", LinkRule(jitter_ms=40))
        took = []
        for _ in range(30):
            began = time.monotonic()
            await said(stream, b"ping")
            took.append(time.monotonic() - began)
        assert max(took) - min(took) > 0.020
        link.remove_rule("jitter")
        assert await _exchange_s(stream) < 0.020

    _on_a_link(layout, scene)


def test_what_waits_for_bandwidth_passes_when_the_limit_goes(layout: RunLayout) -> None:
    """A megabyte that would take 20 minutes arrives at once when the rule is taken away, whole and in order."""

    async def scene(link: Link, dial: Dial) -> None:
        stream = await dial()
        await said(stream, b"warm")
        link.put_rule("narrow", LinkRule(direction="up", bandwidth=1000))
        payload = bytes(range(250)) * 4000
        stream[1].write(payload)
        assert await silent(stream)  # the first piece takes more than a second
        link.remove_rule("narrow")
        async with asyncio.timeout(5):
            assert await stream[0].readexactly(len(payload)) == payload

    _on_a_link(layout, scene)


def test_latencies_of_two_rules_add_and_either_leaves_the_other(layout: RunLayout) -> None:
    """50 ms and 80 ms down are 130 ms; without the one the other is left, without both nothing."""

    async def scene(link: Link, dial: Dial) -> None:
        stream = await dial()
        link.put_rule("near", LinkRule(direction="down", latency_ms=50))
        link.put_rule("far", LinkRule(direction="down", latency_ms=80))
        assert await _exchange_s(stream) >= 0.130
        link.remove_rule("near")
        assert 0.080 <= await _exchange_s(stream) < 0.130
        link.put_rule("near", LinkRule(direction="down", latency_ms=50))
        link.remove_rule("far")
        assert 0.050 <= await _exchange_s(stream) < 0.080
        link.remove_rule("near")
        assert await _exchange_s(stream) < QUICK_S

    _on_a_link(layout, scene)


def test_cut_and_latency_on_one_link(layout: RunLayout) -> None:
    """The cut healed, new connections are slow still; the latency healed first, they hang still."""

    async def scene(link: Link, dial: Dial) -> None:
        slow = LinkRule(latency_ms=50)
        link.put_rule("slow", slow)
        link.put_rule("cut", LinkRule(cut=True))
        assert await _silent_when_asked(dial)
        link.remove_rule("cut")
        assert await _exchange_s(await dial()) >= 0.100
        link.put_rule("cut", LinkRule(cut=True))
        link.remove_rule("slow")
        assert await _silent_when_asked(dial)
        link.remove_rule("cut")
        assert await _exchange_s(await dial()) < QUICK_S

    _on_a_link(layout, scene)


def test_two_cuts_heal_when_both_are_gone(layout: RunLayout) -> None:
    """With one of two cuts taken away the link still carries nothing."""

    async def scene(link: Link, dial: Dial) -> None:
        link.put_rule("one", LinkRule(cut=True))
        link.put_rule("other", LinkRule(direction="down", cut=True))
        link.remove_rule("one")
        assert await _silent_when_asked(dial)
        link.remove_rule("other")
        assert await said(await dial(), b"again") == b"again"

    _on_a_link(layout, scene)


def test_refusal_and_bandwidth_on_one_link(layout: RunLayout) -> None:
    """The established are slow and newcomers refused; either rule taken away leaves the other."""

    async def scene(link: Link, dial: Dial) -> None:
        stream = await dial()
        narrow = LinkRule(direction="up", bandwidth=40)
        link.put_rule("narrow", narrow)
        link.put_rule("refuse", LinkRule(refuse=True))
        with pytest.raises(ConnectionRefusedError):
            await dial()
        assert await _exchange_s(stream) >= 0.100
        link.remove_rule("refuse")
        assert await _exchange_s(await dial()) >= 0.100
        link.put_rule("refuse", LinkRule(refuse=True))
        link.remove_rule("narrow")
        with pytest.raises(ConnectionRefusedError):
            await dial()
        assert await _exchange_s(stream) < QUICK_S
        link.remove_rule("refuse")
        assert await _exchange_s(await dial()) < QUICK_S

    _on_a_link(layout, scene)


def test_stalls_hold_some_exchanges_for_their_time_and_no_more(layout: RunLayout) -> None:
    """With stalls of 60 ms every 150 ms or so, some exchanges are held and some are not; without them none is."""

    async def scene(link: Link, dial: Dial) -> None:
        stream = await dial()
        link.put_rule("lossy", LinkRule(direction="down", stall_every_s=0.15, stall_for_ms=60))
        quick = held = 0
        limit = time.monotonic() + 20
        while not (quick >= 5 and held >= 5) and time.monotonic() < limit:
            began = time.monotonic()
            await said(stream, b"ping")
            took_s = time.monotonic() - began
            held += took_s >= 0.030
            quick += took_s < 0.010
            await asyncio.sleep(0.005)
        assert (quick >= 5, held >= 5) == (True, True)
        link.remove_rule("lossy")
        assert await _exchange_s(stream) < 0.020

    _on_a_link(layout, scene)


def test_reset_ends_open_connections_once_and_is_no_rule(layout: RunLayout) -> None:
    """Both that are open are reset, rules stay in force, and the next connection lives."""

    async def scene(link: Link, dial: Dial) -> None:
        link.put_rule("slow", LinkRule(latency_ms=50))
        streams = [await dial(), await dial()]
        for stream in streams:
            await said(stream, b"before")
        assert link.reset() == 2
        for stream in streams:
            with pytest.raises(ConnectionResetError):
                await stream[0].read(1)
        assert set(link.rules) == {"slow"}
        assert await _exchange_s(await dial()) >= 0.100

    _on_a_link(layout, scene)


async def _silent_when_asked(dial: Dial) -> bool:
    """Whether a new connection gets no answer."""
    stream = await dial()
    stream[1].write(b"anyone?")
    return await silent(stream)
