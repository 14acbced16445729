"""Chaos Toolkit's way in: a control that stands a system up, our faults as its actions, what our probes see as its probes.

Only Chaos Toolkit imports this module (docs/chaos-toolkit.md). A fault that an experiment does not heal is healed when it
ends, and by the watchdog or `heal` where Chaos Toolkit is killed, for the journal is the same as a drill's. An experiment's
outcome is no verdict: it has no ledger and no bounds. A judged drill is `python -m scenarios play` as a process activity.
"""

from __future__ import annotations

import argparse
import os
from typing import Any, NoReturn

from chaoslib.exceptions import ActivityFailed, InterruptExecution

from drill.host_environment import settle
from drill.unusable import UnusableInput
from gameday.options import Options, add_options
from gameday.stage import Stage
from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.orphan_runs import refuse_orphans
from infra_fixtures.targets.parts import MissingPart

OPTIONS = "drill_options"
"""The experiment's configuration that holds what a drill would be told on its command line, such as ["--pace", "10"]."""
REFUSALS = (UnusableInput, NotSupported, MissingPart, GateNotPassed)
_stages: list[Stage] = []
"""The one that stands, while an experiment runs."""


def before_experiment_control(context: Any, configuration: dict[str, Any] | None = None, **_: Any) -> None:
    """Stand the system up; an experiment whose system does not stand is not run."""
    settle(os.environ)
    try:
        stage = Stage(_options((configuration or {}).get(OPTIONS, [])))
        _stages.append(stage.__enter__())
    except REFUSALS as e:
        raise InterruptExecution(str(e)) from e


def after_experiment_control(context: Any, **_: Any) -> None:
    """Heal what the experiment left, and tear the system down."""
    cleanup_control()


def cleanup_control() -> None:
    """The same, where the experiment was never begun."""
    while _stages:
        _stages.pop().__exit__()


def inject(fault: str, name: str = "", parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """Action: let a fault of `python -m scenarios faults` stand, under a name by which `heal` knows it (its own if none).

    The answer says what it hit and how long its injection took, seconds.
    """
    try:
        effect = _stage().inject(name or fault, fault, parameters or {})
    except REFUSALS as e:
        raise ActivityFailed(str(e)) from e
    return {"subject": effect.subject, "took_s": (effect.effective_ns - effect.began_ns) / 1e9}


def heal(name: str) -> str:
    """Action, for rollbacks too: undo the fault of that name."""
    try:
        _stage().heal(name)
    except REFUSALS as e:
        raise ActivityFailed(str(e)) from e
    return "healed"


def return_to_primary() -> str:
    """Action: give the regions the roles back that they had at first."""
    _stage().return_to_primary()
    return "returned"


def steady(timeout_s: float = 5.0) -> bool:
    """Probe: whether both regions are healthy, Route 53 leads to the primary and the failover alarm is armed and OK."""
    try:
        _stage().steady(timeout_s)
    except GateNotPassed:
        return False
    return True


def figure(metric: str, subject: str) -> float:
    """Probe: what a gauge of DESIGN's samples says now, such as replication_lag_s of aurora, in its own unit.

    Fails where nothing was heard for two seconds: an unknown lag is not a small one.
    """
    try:
        value = _stage().figure(metric, subject)
    except REFUSALS as e:
        raise ActivityFailed(str(e)) from e
    if value is None:
        raise ActivityFailed(f"{metric} of {subject or 'the system'} is not known now: nothing was heard of it lately")
    return value


def last(event: str, subject: str = "") -> str:
    """Probe: the detail of the last mark of that event since the last fault, such as dns.answer; "" where there was none."""
    try:
        return _stage().last(event, subject) or ""
    except REFUSALS as e:
        raise ActivityFailed(str(e)) from e


def _stage() -> Stage:
    if not _stages:
        raise ActivityFailed("no system stands: add the control gameday.chaos_toolkit to the experiment")
    return _stages[-1]


class _Parser(argparse.ArgumentParser):
    """One that does not end Chaos Toolkit."""

    def error(self, message: str) -> NoReturn:
        """Refuse."""
        raise UnusableInput(f"the experiment's {OPTIONS}: {message}")


def _options(given: Any) -> Options:
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        raise UnusableInput(f'the experiment\'s {OPTIONS} is no list of words: give one such as ["--pace", "10"]')
    parser = _Parser(add_help=False)
    add_options(parser.add_argument)
    parsed = parser.parse_args(given)
    options = Options.read(lambda name: getattr(parsed, name))
    refuse_orphans(options.runs_dir)
    return options
