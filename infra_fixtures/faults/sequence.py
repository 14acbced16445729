"""One fault after another, the first still standing when the second strikes."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator

from drill.parts import Effect
from infra_fixtures.faults.fault import Fault


@contextlib.contextmanager
def after(first: Fault, hold_s: float, then: Fault) -> Iterator[Effect]:
    """Inject `first`, wait until `hold_s` seconds after it took effect, inject `then`; healed in the same order.

    The first is healed first because repairing the second may need it: a database cannot rejoin over a dark link. The
    effect is the second fault's; the first is among its `earlier`.
    """
    with contextlib.ExitStack() as second, contextlib.ExitStack() as sooner:
        early = sooner.enter_context(first)
        due_ns = early.effective_ns + int(hold_s * 1e9)
        time.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
        late = second.enter_context(then)
        yield dataclasses.replace(late, earlier=(*early.earlier, early, *late.earlier))
