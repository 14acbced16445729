"""One game day at a time on a target whose AWS API outlives the run: a lock in the target itself.

It is an object in a bucket of the target's own account (`lock_place`). The holder renews its lease all the time. A lease that
was not renewed has lapsed, by the clock of S3 alone: its run died, and what it broke may still be broken, so nobody takes the
target before that run is healed or a person has deleted the object. A holder that could not renew in time has lost the lock,
which is a stop condition. The lock is given back by another conditional write: LocalStack has no conditional DeleteObject. The
bucket stays; it is made where it is not there.

Keep the lock in a region that the drill does not take away: the standby.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import ClassVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from drill.unusable import UnusableInput
from infra_fixtures.safety.lock_place import Contended, Holder, LockPlace
from infra_fixtures.safety.stop_conditions import Sight

log = logging.getLogger(__name__)

LEASE_S = 60.0
RENEWALS_A_LEASE = 4
ATTEMPTS = 10


class HeldLock:
    """A lock that is held and renewed; as a stop condition it is met once it is lost."""

    kind: ClassVar[str] = "lock"
    every_s: ClassVar[float] = 0.5

    def __init__(self, place: LockPlace, holder: Holder, etag: str, until_s: float) -> None:
        self._place = place
        self._holder = holder
        self._etag = etag
        self._until_s = until_s
        """When the lease lapses, on time.monotonic()."""
        self._lost = ""
        self._release = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lock of the target", daemon=True)
        self._thread.start()

    def met(self, sight: Sight | None = None) -> str:
        """Why the lock is lost; "" while it is held."""
        if not self._lost and time.monotonic() >= self._until_s:
            return f"the lock of {self._place.target} could not be renewed for {self._holder.lease_s:g} s"
        return self._lost

    def __str__(self) -> str:
        return f"the lock of {self._place.target} is lost"

    def release(self) -> None:
        """Give it back; where that fails it lapses, and keeps others out until a person deletes it."""
        self.stop()
        if self._lost:
            return
        try:
            self._place.write(msgspec.structs.replace(self._holder, released=True), self._etag)
        except (BotoCoreError, ClientError, Contended):
            log.exception("the lock of %s was not given back: delete %s", self._place.target, self._place.url)

    def stop(self) -> None:
        """Renew it no more: it lapses."""
        self._release.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._release.wait(self._holder.lease_s / RENEWALS_A_LEASE) and not self._lost:
            began_s = time.monotonic()
            try:
                self._etag = self._renewed()
            except Contended:
                self._lost = f"the lock of {self._place.target} was taken from this run: {self._taker()}"
            except (BotoCoreError, ClientError):
                log.warning("the lock of %s could not be renewed", self._place.target, exc_info=True)
            else:
                self._until_s = began_s + self._holder.lease_s

    def _renewed(self) -> str:
        """The new ETag. A client that repeats a write whose answer came too late meets its own."""
        try:
            return self._place.write(self._holder, self._etag)
        except Contended:
            found = self._place.read()
            if found is None or found.holder != self._holder:
                raise
            return found.etag

    def _taker(self) -> str:
        with contextlib.suppress(BotoCoreError, ClientError, UnusableInput):
            found = self._place.read()
            if found is None or found.holder.released:
                return "somebody broke it"
            return f"{found.holder.run_id} of {found.holder.who} has it"
        return "who has it is not known"


@contextlib.contextmanager
def target_lock(
    place: LockPlace, run_id: str, *, is_over: Callable[[], bool] = lambda: True, lease_s: float = LEASE_S
) -> Iterator[HeldLock]:
    """Hold a target; what is yielded is to be given to the drill's stop conditions.

    At the end it is given back where `is_over` says that nothing of the run is left there; else it keeps others out until
    the run is healed. Raises UnusableInput, naming who holds it, where somebody does.
    """
    held = take(place, run_id, lease_s=lease_s)
    try:
        yield held
    finally:
        if is_over():
            held.release()
        else:
            held.stop()


def take(place: LockPlace, run_id: str, *, lease_s: float = LEASE_S) -> HeldLock:
    """Take the lock; raises UnusableInput where another run has it, or died without giving it back."""
    holder = Holder(
        token=secrets.token_hex(8),
        run_id=run_id,
        who=f"{_user()}@{socket.gethostname()}",
        since=f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC",
        lease_s=lease_s,
    )
    with place.answering():
        place.make_bucket()
        return _taken(place, holder)


def _taken(place: LockPlace, holder: Holder) -> HeldLock:
    until_s = time.monotonic() + holder.lease_s
    for _ in range(ATTEMPTS):
        found = place.read()
        if found is not None and found.holder == holder:
            return HeldLock(place, holder, found.etag, until_s)
        if found is not None and not found.is_free_for(holder.run_id):
            raise _left_by(place, found.holder) if found.has_lapsed else _held_by(place, found.holder)
        until_s = time.monotonic() + holder.lease_s
        with contextlib.suppress(Contended):
            return HeldLock(place, holder, place.write(holder, found.etag if found else None), until_s)
    raise UnusableInput(f"the lock of {place.target} is taken and given back all the time: try again")


@contextlib.contextmanager
def lock_of_dead_run(place: LockPlace, run_id: str) -> Iterator[None]:
    """Renew a dead run's lock for as long as this lasts, and then give it back; nothing where it has it no more.

    Where what is done in here fails it is not given back, so that it keeps others out.
    """
    with place.answering():
        held = _resumed(place, run_id)
    try:
        yield
    except BaseException:
        if held is not None:
            held.stop()
        raise
    if held is not None:
        held.release()


def _resumed(place: LockPlace, run_id: str) -> HeldLock | None:
    for _ in range(ATTEMPTS):  # the dead one's last renewal may still be on its way
        found = place.read()
        if found is None or found.holder.released or found.holder.run_id != run_id:
            return None
        until_s = time.monotonic() + found.holder.lease_s
        with contextlib.suppress(Contended):
            return HeldLock(place, found.holder, place.write(found.holder, found.etag), until_s)
    raise UnusableInput(f"the lock of {place.target} is renewed all the time, so {run_id} lives: end that run")


def _held_by(place: LockPlace, holder: Holder) -> UnusableInput:
    return UnusableInput(
        f"the target {place.target} is held by {holder.run_id} of {holder.who} since {holder.since}: wait until that run "
        f"ends; if it is dead, heal it with {_heal_on(holder)}"
    )


def _left_by(place: LockPlace, holder: Holder) -> UnusableInput:
    return UnusableInput(
        f"the target {place.target} was held by {holder.run_id} of {holder.who} since {holder.since}, which died without "
        f"giving it back, so what it broke may still be broken: heal it with {_heal_on(holder)}; if nothing is to heal there, "
        f"or that machine is gone, see to it that the target is as it should be, and delete {place.url}"
    )


def _heal_on(holder: Holder) -> str:
    host = holder.who.rpartition("@")[2]
    return f"`python -m infra_fixtures heal --runs-dir DIR` on {host}, where DIR has {holder.run_id}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        return str(os.getuid())
