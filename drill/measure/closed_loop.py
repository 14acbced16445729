"""Requests that a closed loop never made: what its clients would have sent while they waited for what came to nothing.

A client that waits ten seconds for an answer and used to send every tenth of a second omits a hundred requests. Nobody knows what
would have become of them. That all of them failed is the worst that is possible, and so the upper bound of a recovery
time (the correction for coordinated omission of HdrHistogram, recordValueWithExpectedInterval, made a bound).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from drill.imported_load import ImportedLoad
from drill.measure.requests import Requests
from drill.measure.times import Times

MOST = 2_000_000
"""More omitted requests than this are thinned out evenly: they only fill time that is down anyway."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """How requests tell of the service: by which of their times, and at which interval a client that waited omitted others.

    `omitted_ns` is None where none were omitted, as of an open loop.
    """

    basis: str = "requests by intended start"
    omitted_ns: int | None = None


DUE = Sampled()
"""As this harness's own load tells: by when each was due."""


def usual_interval_ns(requests: Requests, load: ImportedLoad, times: Times) -> int | None:
    """How often one client sent a request before the fault, on average; None where that was not seen.

    Where nobody says how many clients there were, it is as many as ever waited at once: fewer than there were, which makes
    the interval shorter and more requests omitted.
    """
    if times.begin_ns is None or not len(requests):
        return None
    first_ns = times.baseline_ns if times.baseline_ns is not None else int(requests.due_ns[0])
    before = requests.between(first_ns, times.begin_ns)
    if not len(before) or times.begin_ns <= first_ns:
        return None
    clients = load.clients or _most_open(before)
    return max(1, clients * (times.begin_ns - first_ns) // len(before))


def with_omitted(requests: Requests, interval_ns: int | None) -> Requests:
    """`requests`, and behind each bad one those that its client would have sent until it was over: all bad."""
    if interval_ns is None or not len(requests):
        return requests
    took = requests.ended_ns - requests.due_ns
    omitted = np.where(requests.bad, np.maximum(0, (took - 1) // interval_ns), 0)
    total = int(omitted.sum())
    if not total:
        return requests
    if total > MOST:
        return with_omitted(requests, interval_ns * (total // MOST + 1))
    of = np.repeat(np.arange(len(requests)), omitted)
    place = np.arange(total) - np.repeat(np.cumsum(omitted) - omitted, omitted)
    due = np.concatenate((requests.due_ns, requests.due_ns[of] + (place + 1) * interval_ns))
    source = np.concatenate((np.arange(len(requests)), of))
    order = np.argsort(due, kind="stable")
    source = source[order]
    return replace(
        requests,
        due_ns=due[order],
        ended_ns=requests.ended_ns[source],
        bad=requests.bad[source],
        late=requests.late[source],
        touched=requests.touched[source],
        stratum=requests.stratum[source],
    )


def _most_open(requests: Requests) -> int:
    at = np.concatenate((requests.due_ns, requests.ended_ns))
    step = np.concatenate((np.ones(len(requests), np.int64), -np.ones(len(requests), np.int64)))
    # what ended at the very moment another began was over
    order = np.lexsort((step, at))
    return max(1, int(np.cumsum(step[order]).max()))
