"""A TCP link: one hop of the architecture, which the rules of faults and of the VPC slow, stall, refuse or cut.

AWS drops the packets that a rule denies, and a loopback listener cannot drop a SYN. So a link that denies accepts the
connection and then neither forwards nor answers: a client with a connect time-out on AWS meets a read time-out here.
Admitted later, such a connection goes through, as the SYN's repetition would.

Nobody but the run is behind a link, and nobody else is in its place: it asks who serves the target before a byte passes
(a process that is down leaves its port to whoever listens there), and keeps its own address while it refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping, Sequence

from infra_fixtures.access.held_address import HeldAddress
from infra_fixtures.access.peer import ForeignServer
from infra_fixtures.data_plane.network.conditions import OPEN, Conditions, Reachability, compose
from infra_fixtures.data_plane.network.flow import Flow
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.run_layout import Address

log = logging.getLogger(__name__)

BACKLOG = 1024
JANITOR_S = 0.25
"""How soon a link that does not carry notices that a client has given up."""
CONNECT_LIMIT_S = 5.0


class Link:
    """Listens on one address and carries each connection to another; all calls from one event loop.

    `owner` is the user whom the process at `target` runs as; None: as this process does.
    """

    def __init__(
        self,
        name: str,
        listen: Address,
        target: Address,
        owner: int | None = None,
        *,
        service_of: Callable[[bytes], str] = lambda _: "",
    ) -> None:
        self.name = name
        self.service_of = service_of
        self.listen = listen
        self.target = target
        self.owner = owner
        self.strangers = 0
        """Connections that were reset because another user listened at the target."""
        self.opened = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self._rules: dict[str, LinkRule] = {}
        self._conditions = Conditions()
        self._source_reachability: tuple[Reachability, ...] = (OPEN,)
        self._active = True
        self._flows: set[Flow] = set()
        self._beginnings: set[asyncio.Task[None]] = set()
        self._address: HeldAddress | None = None
        self._listener: socket.socket | None = None
        self._janitor: asyncio.Task[None] | None = None
        self._running = False

    @property
    def rules(self) -> Mapping[str, LinkRule]:
        """The rules now in force, by identity."""
        return self._rules

    @property
    def conditions(self) -> Conditions:
        """What the rules come to together."""
        return self._conditions

    @property
    def source_reachability(self) -> tuple[Reachability, ...]:
        """What the VPC's rules say, one for each source; connections take them in turn."""
        return self._source_reachability

    @property
    def active(self) -> bool:
        """Whether the endpoint has a role at all (a secondary cluster's writer endpoint has none)."""
        return self._active

    @property
    def flows(self) -> int:
        """Connections now open."""
        return len(self._flows)

    def start(self) -> None:
        """Take the address and begin to listen; OSError where it is taken."""
        self._address = HeldAddress(self.listen.host, self.listen.port)
        self._running = True
        self._janitor = asyncio.get_running_loop().create_task(self._tidy())
        self._settle()

    def close(self) -> None:
        """Stop listening and reset what is open."""
        self._running = False
        if self._janitor is not None:
            self._janitor.cancel()
        self._settle()
        self.reset()
        if self._address is not None:
            self._address.close()

    def put_rule(self, identity: str, rule: LinkRule) -> None:
        """Put a rule on the link, or another in its place; in force at once."""
        self.set_rules({**self._rules, identity: rule})

    def remove_rule(self, identity: str) -> bool:
        """Take a rule off; the rest stay in force. Whether it was there.

        OSError where it is off and the link cannot listen again; to be repeated then.
        """
        was_there = identity in self._rules
        self.set_rules({name: rule for name, rule in self._rules.items() if name != identity})
        return was_there

    def set_rules(self, rules: Mapping[str, LinkRule]) -> None:
        """Let these rules hold and no others; in force at once."""
        if rules == self._rules:
            self._settle()  # the last time may have failed half-way: somebody else had the address
            return
        self._rules = dict(rules)
        self._conditions = compose(rules)
        self._settle()
        for flow in list(self._flows):
            flow.retime(self._conditions.up, self._conditions.down)

    def set_source_reachability(self, source_reachability: Sequence[Reachability]) -> None:
        """Let the VPC's rules decide; in force at once."""
        self._source_reachability = tuple(source_reachability) or (OPEN,)
        self._settle()

    def set_active(self, active: bool) -> None:
        """Give the endpoint a role or take it: without one, it refuses and what is open is reset."""
        lost_role = self._active and not active
        self._active = active
        self._settle()
        if lost_role:
            self.reset()

    def reset(self) -> int:
        """Reset (RST) every open connection, both ends; returns how many."""
        flows = list(self._flows)
        for flow in flows:
            flow.reset()
        return len(flows)

    def reachability_of(self, source: int) -> Reachability:
        """What the rules say of a connection's source now."""
        return self._source_reachability[source % len(self._source_reachability)]

    def forget(self, flow: Flow) -> None:
        """A connection has ended."""
        self._flows.discard(flow)

    def _settle(self) -> None:
        """Bring listener and connections in line with conditions, rules and role."""
        self._listen(self._running and self._active and not self._conditions.refuse)
        for flow in list(self._flows):
            if not flow.established:
                self._begin(flow)
            elif not self.settle(flow) and flow.partitioned:
                flow.reset()

    def _listen(self, should_listen: bool) -> None:
        loop = asyncio.get_running_loop()
        if self._address is None:
            return
        if should_listen and self._listener is None:
            self._listener = self._address.listen(BACKLOG)
            loop.add_reader(self._listener, self._accept, self._listener)
        elif not should_listen and self._listener is not None:
            loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
            self._address.refuse()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                connection, _peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            connection.setblocking(False)
            flow = Flow(self, connection, source=self.opened)
            self.opened += 1
            self._flows.add(flow)
            self._begin(flow)

    def _begin(self, flow: Flow) -> None:
        """Carry a connection through once conditions and rules admit it; until then it hangs."""
        reachability = self.reachability_of(flow.source)
        if self._conditions.partitioned or not (reachability.opens and reachability.stateless) or flow.beginning:
            return
        flow.beginning = True
        task = asyncio.get_running_loop().create_task(self._carry(flow, tracked=reachability.tracked))
        self._beginnings.add(task)
        task.add_done_callback(self._beginnings.discard)

    async def _carry(self, flow: Flow, *, tracked: bool) -> None:
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                await flow.establish(self.target, self.owner, tracked=tracked)
        except ForeignServer as e:
            self.strangers += 1
            if self.strangers == 1:
                log.warning("the link %s passes nothing on: %s", self.name, e)
            flow.reset()
            return
        except (OSError, TimeoutError):
            flow.reset()
            return
        self.settle(flow)

    def settle(self, flow: Flow) -> bool:
        """Cut an established connection where packets do not pass; whether they do not."""
        denied = not self.reachability_of(flow.source).keeps(tracked=flow.tracked, service=flow.service)
        up, down = denied or self._conditions.up.cut, denied or self._conditions.down.cut
        if up or down:
            flow.cut(up=up, down=down)
        return up or down

    async def _tidy(self) -> None:
        """Drop connections that hang and whose client has closed: a paused socket does not tell."""
        while True:
            await asyncio.sleep(JANITOR_S)
            for flow in [f for f in self._flows if f.partitioned or not f.established]:
                with contextlib.suppress(OSError):
                    flow.tidy()
