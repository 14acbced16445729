"""Each invocation of the failover controller is marked, at the time its own log says."""

from __future__ import annotations

import json
import time

from drill.wait import wait_until
from probes.controller import Controller
from tests.probes.conftest import watching
from tests.real_world import System


def test_each_invocation_is_marked_once_at_its_own_time(system: System) -> None:
    """Two invocations with events that are no alarm: two marks, each within its call; the database stays where it is."""
    world = system.world
    function = world.deployed.controller_function
    spans: list[tuple[int, int]] = []
    with watching(Controller(world)) as notebook:
        for number in (1, 2):
            began_ns = time.monotonic_ns()
            answer = world.client("lambda", world.standby).invoke(FunctionName=function, Payload=b'{"Records": []}')
            assert json.loads(answer["Payload"].read())["decision"] == "nothing"
            spans.append((began_ns, time.monotonic_ns()))
            wait_until(
                lambda number=number: len(notebook.found("controller.invoked", subject=function)) == number,  # type: ignore[misc]
                what=f"invocation {number} to be marked",
                timeout_s=5,
            )
    for mark, (began_ns, ended_ns) in zip(notebook.found("controller.invoked"), spans, strict=True):
        assert began_ns - 5_000_000 <= mark.at_ns <= ended_ns + 5_000_000
    assert system.writer() == world.primary
