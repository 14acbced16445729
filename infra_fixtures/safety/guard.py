"""Every call that changes something passes here before it is sent: what the run's scope does not allow is refused.

It sits in botocore's events, so that nothing of the harness has to ask: `guard.protect(session)` covers every client made
from the session afterwards, `guard.protect(client)` that one. Acts that are no AWS call ask `allow_power` themselves.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES
from infra_fixtures.safety.aws_operations import READING, changes, regions_named
from infra_fixtures.safety.blast_radius import Spread
from infra_fixtures.safety.call_log import names_of
from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.rehearsal import (
    MADE_UP,
    UNTAGGED,
    Planned,
    PowerRehearsed,
    answer_to,
    is_rehearsed,
    made_up,
    note_tagged,
)
from infra_fixtures.safety.scope import Scope, Tag, listed
from infra_fixtures.safety.tag_lookups import Clients, Place, Tags
from infra_fixtures.safety.touched import Touched, tags_carried, touched

UNKNOWN = "an unknown region"
"""Where a URL is signed for later: botocore does not say for which region, and no scope allows that."""


class Guard:
    """A scope, and what of it is known already.

    client: boto3 clients of the same credentials as those that are protected, for asking who they are and for tags.
    account: the account, where it is known without asking (an emulator of the run's own). owned: names, ids and ARNs that
    the run made itself or is about to make; they count as tagged, and so does what carries `mark`, the tag that the run
    gives to what it makes.
    """

    def __init__(
        self,
        scope: Scope,
        client: Clients,
        *,
        account: str | None = None,
        owned: Container[str] = frozenset(),
        mark: Tag | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.scope = scope
        self._client = client
        self._account = account
        self._owned = owned
        self._mark = mark
        self._now = now
        self._lock = threading.Lock()
        self._tagged: set[tuple[str, str, str]] = set()
        self._spread = Spread(scope.blast_radius)
        self._making = 0
        self._thread = threading.local()
        self._rehearsed: list[Planned] | None = None

    def protect(self, holder: Any) -> None:
        """Put every call of a boto3 client, or of all clients that a boto3 session makes from now on, under the scope.

        The same one may be given again and again.
        """
        events = holder.meta.events if hasattr(holder, "meta") else holder.events
        events.register_last("before-parameter-build", self._judge_call, unique_id=f"guard-{id(self)}-call")
        events.register_last("before-sign.s3", self._judge_signature, unique_id=f"guard-{id(self)}-sign")
        events.register_first("before-call", self._rehearse, unique_id=f"guard-{id(self)}-rehearse")
        events.register_first("request-created", self._hold_back, unique_id=f"guard-{id(self)}-hold")

    def allow_power(self, name: str, region: str) -> None:
        """Raise Refused where an act that is no AWS call (a kill, a link rule) may not be done in that region."""
        what = f"{name} in {region}"
        self._require_consent(what)
        self._require_region(what, region)
        if (planned := self._rehearsed) is not None:
            planned.append(Planned("", name, region, ()))
            raise PowerRehearsed(what)

    @contextlib.contextmanager
    def healing(self) -> Iterator[None]:
        """What this thread does meanwhile is undone: no window, missing consent or blast radius stops that, all else does."""
        depth = getattr(self._thread, "healing", 0)
        self._thread.healing = depth + 1
        try:
            yield
        finally:
            self._thread.healing = depth

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """What this thread writes meanwhile measures something, as heartbeats do: no fault, so no blast radius."""
        self._thread.measuring = True
        try:
            yield
        finally:
            self._thread.measuring = False

    @contextlib.contextmanager
    def making(self) -> Iterator[None]:
        """What is done meanwhile, by any thread, makes the run's own system or removes it: no fault, so no blast radius."""
        with self._lock:
            self._making += 1
        try:
            yield
        finally:
            with self._lock:
                self._making -= 1

    @contextlib.contextmanager
    def rehearsing(self) -> Iterator[list[Planned]]:
        """What would be changed meanwhile, by any thread, is judged and noted, and not sent; nobody's consent is asked for.

        A power raises PowerRehearsed once it is noted.
        """
        planned = self._rehearsed = []
        try:
            yield planned
        finally:
            self._rehearsed = None

    @property
    def _heals(self) -> bool:
        return bool(getattr(self._thread, "healing", 0))

    def _rehearse(self, *, model: Any, context: Mapping[str, Any], **_: Any) -> Any:
        return answer_to(model, context) if self._rehearsed is not None and changes(model) else None

    def _hold_back(self, *, request: Any, **_: Any) -> None:
        """Whatever answers a rehearsed call, or does not: it is never sent."""
        if is_rehearsed(request.context):
            raise Refused(str(request.url), "it is rehearsed only", "this is a mistake of the harness: report it")

    def _judge_call(self, *, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        if not changes(model):
            return
        service = model.service_model.service_name
        region = _region(service, str(context.get("client_region", UNKNOWN)))
        what = f"{service} {model.name} in {region}"
        self._require_consent(what)
        self._require_region(what, region)
        for named in regions_named(params):
            self._require_region(what, named)
        self._require_account(what)
        names = tuple(dict.fromkeys([*(t.value for t in touched(service, params)), *names_of(params)]))
        if (planned := self._rehearsed) is not None:
            planned.append(Planned(service, model.name, region, names))
            note_tagged(context, self._lets(tags_carried(params)))
        self._require_tags(what, service, region, params)
        if planned is None and not (self._making or self._heals or getattr(self._thread, "measuring", False)):
            self._spread.take(what, service, region, names or (model.name,))

    def _judge_signature(self, *, request: Any, region_name: str, operation_name: str, **_: Any) -> None:
        """A client follows a bucket into another region than its own: where the call really goes is what is signed."""
        region = str(request.context.get("signing", {}).get("region") or region_name)
        if not READING.match(operation_name):
            self._require_region(f"s3 {operation_name} in {region}", region)

    def _require_consent(self, what: str) -> None:
        if self._rehearsed is not None:
            return
        if self.scope.read_only:
            raise Refused(what, "this game day is read_only", "take read_only out of the scope")
        if self._heals:
            return
        if not self.scope.confirmed:
            raise Refused(what, "nobody has confirmed this run", "confirm it once you have seen its plan")
        if not self.scope.is_open(self._now()):
            windows = "; ".join(map(str, self.scope.windows))
            raise Refused(what, f"no window is open ({windows})", "wait for one, or add one to the scope's windows")

    def _require_region(self, what: str, region: str) -> None:
        if region not in self.scope.regions:
            raise Refused(
                what,
                f"{region} is none of the regions allowed ({listed(self.scope.regions)})",
                "add it to the scope's regions",
            )

    def _require_account(self, what: str) -> None:
        account = self._own_account(what)
        if account not in self.scope.accounts:
            raise Refused(
                what,
                f"the account {account} is none of those allowed ({listed(self.scope.accounts)})",
                "use other credentials, or add it to the scope's accounts",
            )

    def _own_account(self, what: str) -> str:
        with self._lock:
            if self._account is None:
                try:
                    asked = self._client("sts", _some(self.scope.regions)).get_caller_identity()
                    self._account = str(asked["Account"])
                except (BotoCoreError, ClientError) as e:
                    raise Refused(
                        what, f"the account is not known ({e})", "allow sts:GetCallerIdentity to these credentials"
                    ) from e
            return self._account

    def _require_tags(self, what: str, service: str, region: str, params: Mapping[str, Any]) -> None:
        tag = self.scope.tag
        if tag is None:
            return
        carries = self._lets(tags_carried(params))
        found = list(touched(service, params))
        before = made_up(params) if self._rehearsed is not None else ()
        if any(name.startswith(UNTAGGED) for name in before):
            raise Refused(what, f"a call before it makes what it touches without the tag {tag}", "tag it as it is made")
        if not found and not carries and not before and not self._owns_any(params):
            raise Refused(
                what,
                f"it cannot be told which resource it touches, and whether that is tagged {tag}",
                "tag what it makes in the same call, or announce the name among those that the run owns",
            )
        for resource in found:
            self._require_tag(what, service, region, resource, carries=carries)

    def _require_tag(self, what: str, service: str, region: str, resource: Touched, *, carries: bool) -> None:
        tag, value = self.scope.tag, resource.value
        assert tag is not None
        self._require_own_arn(what, value)
        if value in self._owned or (service, region, value) in self._tagged:
            return
        if self._rehearsed is not None and value.startswith(MADE_UP):
            return  # judged already
        try:
            where = None if region == GLOBAL else region
            tags = resource.tags(Place(self._client, where, self._own_account(what)))
        except (BotoCoreError, ClientError) as e:
            raise Refused(what, f"the tags of {value} cannot be read ({e})", "allow reading them") from e
        if tags is None and carries:
            return  # it is made by this call, with the tag
        if not self._lets(tags or {}):
            raise Refused(what, f"{value} is not tagged {tag}", "tag it if the run may touch it")
        self._tagged.add((service, region, value))

    def _lets(self, tags: Tags) -> bool:
        return any(tag is not None and tags.get(tag.key) == tag.value for tag in (self.scope.tag, self._mark))

    def _require_own_arn(self, what: str, value: str) -> None:
        """An ARN may name a resource of another account or region than the call's own."""
        parts = value.split(":")
        if parts[0] != "arn" or len(parts) < 6:
            return
        region, account = parts[3], parts[4]
        if region:
            self._require_region(what, region)
        if account and account not in self.scope.accounts:
            raise Refused(
                what,
                f"{value} belongs to an account that is none of those allowed ({listed(self.scope.accounts)})",
                "name a resource of an allowed account",
            )

    def _owns_any(self, params: Mapping[str, Any]) -> bool:
        return any(isinstance(value, str) and value in self._owned for value in params.values())


def _region(service: str, client_region: str) -> str:
    return GLOBAL if service in GLOBAL_SERVICES or client_region.startswith("aws-global") else client_region


def _some(regions: frozenset[str]) -> str:
    """The region whose STS is asked: any allowed one."""
    return min((r for r in regions if r != GLOBAL), default="us-east-1")


@runtime_checkable
class Guarded(Protocol):
    """A world all of whose clients and powers are under a guard."""

    @property
    def guard(self) -> Guard:
        """The guard."""
