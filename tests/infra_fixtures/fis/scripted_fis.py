"""A FIS that does what a test tells it to: AWS's HTTP, and actions that go through the states of a script.

Experiments take their course by the clock, so that a state that nobody asked for passes all the same.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config

Course = tuple[tuple[float, str], ...]
"""Statuses of an action, each from so many seconds after the experiment's start on; before the first it is pending."""
RUNS: Course = ((0.1, "initiating"), (0.2, "running"))
NEVER_BEGAN = frozenset({"pending", "initiating", "skipped", "cancelled"})
ENDED = frozenset({"completed", "stopped", "failed", "cancelled", "skipped"})


@dataclass
class Experiment:
    """One that was started."""

    id: str
    template: str
    actions: Mapping[str, Any]
    courses: Mapping[str, Course]
    mode: str
    tags: Mapping[str, str]
    started_s: float = field(default_factory=time.monotonic)
    stopped_s: float | None = None
    by: str = "customer"


@dataclass
class ScriptedFis:
    """Its state, and the script. `courses`: by action, RUNS for one that is not in it; `resolves`: ARNs by target."""

    courses: dict[str, Course] = field(default_factory=dict)
    resolves: dict[str, list[str]] = field(default_factory=dict)
    lever: str = "disengaged"
    stop_takes_s: float = 0.2
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    is_broken: bool = False
    """Every call is answered with an error of the service itself."""
    url: str = ""
    on_call: Callable[[str], None] = lambda _call: None

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client, with botocore's own validation of what is sent."""
        return boto3.client(
            service,
            region_name=region or "us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=5, proxies={}),
        )

    def going(self) -> list[str]:
        """Experiments that have not ended."""
        return [e.id for e in self.experiments.values() if self._status(e) not in ENDED]

    def stop_by_itself(self) -> None:
        """As a stop condition does."""
        for one in self.experiments.values():
            if self._status(one) not in ENDED:
                one.stopped_s, one.by = time.monotonic(), "stop condition"

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: Any) -> tuple[int, Any]:
        """What FIS answers."""
        if self.is_broken:
            return 500, {"message": "out of order"}
        parts = [p for p in path.split("/") if p]
        match method, parts:
            case "GET", ["safetyLevers", "default"]:
                return 200, {"safetyLever": {"id": "default", "state": {"status": self.lever, "reason": "frozen"}}}
            case "POST", ["experimentTemplates"]:
                made = f"EXT{len(self.templates)}"
                self.templates[made] = {**body, "id": made}
                return 200, {"experimentTemplate": self.templates[made]}
            case "GET", ["experimentTemplates"]:
                return 200, {
                    "experimentTemplates": [{k: t[k] for k in ("id", "tags")} for t in self.templates.values()]
                }
            case _, ["experimentTemplates", one] if one not in self.templates:
                return 404, {"message": f"no template {one}"}
            case "GET", ["experimentTemplates", one]:
                return 200, {"experimentTemplate": self.templates[one]}
            case "DELETE", ["experimentTemplates", one]:
                return 200, {"experimentTemplate": self.templates.pop(one)}
            case "POST", ["experiments"]:
                return self._start(body)
            case "GET", ["experiments"]:
                return 200, {"experiments": [self._summary(e) for e in self.experiments.values()]}
            case _, ["experiments", one, *_] if one not in self.experiments:
                return 404, {"message": f"no experiment {one}"}
            case "GET", ["experiments", one]:
                return 200, {"experiment": self._told(self.experiments[one])}
            case "DELETE", ["experiments", one]:
                return self._stop(self.experiments[one])
            case "GET", ["experiments", one, "resolvedTargets"]:
                return 200, {"resolvedTargets": self._resolved(self.experiments[one])}
        return 400, {"message": f"{method} {path} {query}"}

    def _start(self, body: Any) -> tuple[int, Any]:
        template = self.templates[body["experimentTemplateId"]]
        mode = body.get("experimentOptions", {}).get("actionsMode", "run-all")
        skipped = mode == "skip-all"
        courses: dict[str, Course] = {
            name: ((0.1, "skipped"),) if skipped else self.courses.get(name, RUNS) for name in template["actions"]
        }
        made = Experiment(
            f"EXP{len(self.experiments)}", template["id"], template["actions"], courses, mode, body.get("tags", {})
        )
        self.experiments[made.id] = made
        return 200, {"experiment": self._told(made)}

    def _stop(self, one: Experiment) -> tuple[int, Any]:
        if self._status(one) in ENDED:
            return 400, {"message": f"{one.id} has ended"}
        one.stopped_s = one.stopped_s or time.monotonic()
        return 200, {"experiment": self._told(one)}

    def _action_status(self, one: Experiment, name: str) -> str:
        until_s = min(one.stopped_s or time.monotonic(), time.monotonic())
        status = "pending"
        for from_s, then in one.courses[name]:
            if until_s - one.started_s >= from_s:
                status = then
        if one.stopped_s is None or status in ENDED:
            return status
        over = time.monotonic() - one.stopped_s >= self.stop_takes_s
        return "cancelled" if status in NEVER_BEGAN else ("stopped" if over else "stopping")

    def _status(self, one: Experiment) -> str:
        statuses = [self._action_status(one, name) for name in one.actions]
        if one.stopped_s is not None:
            return "stopped" if time.monotonic() - one.stopped_s >= self.stop_takes_s else "stopping"
        if any(s == "failed" for s in statuses):
            return "failed"
        if all(s in ENDED for s in statuses):
            return "completed"
        return "running" if any(s not in NEVER_BEGAN for s in statuses) else "initiating"

    def _summary(self, one: Experiment) -> dict[str, Any]:
        reason = "Experiment halted by stop condition." if one.by != "customer" else ""
        state = {"status": self._status(one), "reason": reason}
        return {"id": one.id, "experimentTemplateId": one.template, "state": state, "tags": one.tags}

    def _told(self, one: Experiment) -> dict[str, Any]:
        actions = {}
        for name, action in one.actions.items():
            status = self._action_status(one, name)
            actions[name] = {**action, "state": {"status": status, "reason": f"Action is {status}."}}
            if status not in NEVER_BEGAN:
                actions[name]["startTime"] = 1.7e9
        return {**self._summary(one), "actions": actions}

    def _resolved(self, one: Experiment) -> list[dict[str, Any]]:
        targets = self.templates[one.template].get("targets", {})
        return [
            {"targetName": name, "resourceType": target["resourceType"], "targetInformation": {"arn": arn}}
            for name, target in targets.items()
            for arn in self.resolves.get(name, ())
        ]


@contextlib.contextmanager
def serving(fis: ScriptedFis) -> Iterator[ScriptedFis]:
    """It listens on a loopback port for as long as this lasts."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            asked = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            with lock:
                fis.calls.append(f"{self.command} {asked.path}")
                status, told = fis.answer(self.command, asked.path, parse_qs(asked.query), body)
            fis.on_call(f"{self.command} {asked.path}")
            content = json.dumps(told).encode()
            self.send_response(status)
            if status >= 400:
                self.send_header(
                    "x-amzn-errortype", "ResourceNotFoundException" if status == 404 else "ValidationException"
                )
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Not a word."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    fis.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fis
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
