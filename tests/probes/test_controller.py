"""Each invocation of the failover controller is marked, at the time its own log says."""

from __future__ import annotations

import json
import time

from drill.wait import wait_until
from probes.controller import Controller
from tests.probes.conftest import Said, let_pass, watching
from tests.real_world import System


def test_each_invocation_is_marked_once_at_its_own_time(system: System) -> None:
    """Two invocations with events that are no alarm: two marks, each within its call; the database stays where it is."""
    world = system.world
    function = world.deployed.controller_function
    spans: list[tuple[int, int]] = []
    with watching(Controller(world)) as notebook:

        def invoked() -> list[Said]:
            return notebook.found("controller.invoked", subject=function, detail="START ")

        for _ in range(2):
            began_ns = time.monotonic_ns()
            answer = world.client("lambda", world.standby).invoke(FunctionName=function, Payload=b'{"Records": []}')
            assert json.loads(answer["Payload"].read())["decision"] == "nothing"
            spans.append((began_ns, time.monotonic_ns()))
        # CloudWatch shows a function's log some seconds late
        wait_until(lambda: len(invoked()) == 2, what="both invocations to be marked", timeout_s=15)
        let_pass(1.2)
        assert len(invoked()) == 2, "each once, however often it is looked"
    for mark, (began_ns, ended_ns) in zip(invoked(), spans, strict=True):
        assert began_ns - 5_000_000 <= mark.at_ns <= ended_ns + 5_000_000
    assert system.writer() == world.primary
