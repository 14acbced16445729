"""The load of another tool, told in the records by the mark load.imported: how it was sent, and what is asked of it.

A load generator of this harness records when each request was *due*. Other tools record when it began. In an open loop both are
the same while the tool keeps up. In a closed loop a client that waits for an answer sends nothing meanwhile: those requests were
never made, and no record shows that they would have failed (coordinated omission).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from drill.records import Mark

EVENT = "load.imported"
"""The mark's event; its subject is the tool, its detail the load as JSON."""


class ImportedLoad(msgspec.Struct, frozen=True):
    """`closed`: each client waited for its answer before it sent again; `clients` of them at most (None: nobody knows).

    `intended`: the file says when each request was due. `only_rto`: nothing else is asked of this load, so neither what
    survived nor the lag is judged. `missing`: what the file itself says it does not hold.
    """

    closed: bool
    clients: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None
    intended: bool = False
    only_rto: bool = False
    missing: tuple[str, ...] = ()

    @property
    def basis(self) -> str:
        """How figures of its requests are to be read."""
        if self.intended:
            return "requests by intended start"
        loop = "a closed loop omits requests while its clients wait" if self.closed else "open loop, as its owner says"
        return f"requests by actual start, for the tool records no intended one ({loop})"

    def detail(self) -> str:
        """As the mark tells it."""
        return msgspec.json.encode(self).decode()


def imported_load(marks: Iterable[Mark] | None) -> ImportedLoad | None:
    """What the mark tells, None where there is none; one that cannot be read is taken for the least that a load can prove."""
    for mark in marks or ():
        if mark.event == EVENT:
            try:
                return msgspec.json.decode(mark.detail, type=ImportedLoad)
            except msgspec.MsgspecError as e:
                return ImportedLoad(closed=True, missing=(f"the mark {EVENT} cannot be read ({e})",))
    return None
