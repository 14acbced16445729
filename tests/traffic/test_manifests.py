"""What starts workers elsewhere: what AWS and Kubernetes take, and a command that joins a drill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from drill.unusable import UnusableInput
from gameday.load_distribution import LoadDistribution, load_distribution_of
from infra_fixtures.run_layout import child_environment
from tests.traffic.conftest import Stage, await_ops
from traffic.load import Load
from traffic.manifests import KINDS, MOST_TASKS, Workers, chart, ecs, kubernetes, main, mistake
from traffic.worker import TOKEN_VARIABLE

ARN = "arn:aws:secretsmanager:us-west-2:111122223333:secret:drill-token-a1b2c3"
IMAGE = "registry.example/drill:7"
FOUR = Workers(4, IMAGE, "drill.internal:7000", "drill-token")


def _valid(service: str, operation: str, parameters: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    report = ParamValidator().validate(parameters, model.input_shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("count", [1, MOST_TASKS, MOST_TASKS + 1, 35])
def test_the_aws_cli_takes_what_starts_tasks(count: int) -> None:
    """Each call is one of the API's; together they start all, none more than RunTask's limit."""
    made = ecs(Workers(count, IMAGE, "10.0.0.5:7000", ARN))
    _valid("ecs", "RegisterTaskDefinition", made["register_task_definition"])
    for call in made["run_task"]:
        _valid("ecs", "RunTask", call)
        assert 0 < call["count"] <= MOST_TASKS
    assert sum(call["count"] for call in made["run_task"]) == count


def test_a_job_runs_all_workers_at_once_and_ends() -> None:
    """They share one schedule, so that one that waits for another's end would be a hole in it."""
    job = kubernetes(FOUR)
    assert job["spec"]["parallelism"] == job["spec"]["completions"] == FOUR.count
    assert job["spec"]["activeDeadlineSeconds"] == FOUR.deadline_s
    pod = job["spec"]["template"]
    constraint = pod["spec"]["topologySpreadConstraints"][0]
    assert constraint["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_the_chart_starts_no_master_of_its_own() -> None:
    """A second master would send a load that nobody records."""
    values = chart(FOUR)
    assert values["master"]["replicas"] == 0
    assert values["worker"]["replicas"] == FOUR.count
    assert f"{values['image']['repository']}:{values['image']['tag']}" == FOUR.image


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_is_named_and_not_told(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed may be kept: the token is where the secret is."""
    monkeypatch.setenv(TOKEN_VARIABLE, "00c0ffee" * 6)
    secret = ARN if kind == "ecs" else "drill-token"
    main([kind, "--workers", "2", "--master", "h:7000", "--image", IMAGE, "--secret", secret])
    said = capsys.readouterr().out
    json.loads(said)
    assert secret in said
    assert "c0ffee" not in said


def test_the_command_joins_a_drill_and_the_next_one(stage: Stage) -> None:
    """As a container's only process, with what the chart appends: two drills on one port, then SIGTERM ends it."""
    token = "00c0ffee" * 6
    distribution = _elsewhere(stage, token)
    printed: list[str] = []
    workers = Workers(1, IMAGE, f"127.0.0.1:{distribution.port}", "drill-token")
    python_dir = os.path.dirname(sys.executable)  # noqa: PTH120 - a link must not be followed
    environment = child_environment(stage.layout, **{TOKEN_VARIABLE: token})
    environment["PATH"] = f"{python_dir}:{environment.get('PATH', os.defpath)}"
    with subprocess.Popen([*workers.command, "--worker"], env=environment, start_new_session=True) as container:
        try:
            for name in ("first", "second"):
                with stage.generator(
                    Load(reads_per_s=0),
                    name,
                    workers_elsewhere=1,
                    meeting=distribution.meeting,
                    announce=printed.append,
                ) as generator:
                    await_ops(generator, 20)
                assert generator.failure is None
            container.send_signal(signal.SIGTERM)
            assert container.wait(5) in (0, 128 + signal.SIGTERM)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(container.pid, signal.SIGKILL)
    assert len(printed) == 2
    assert token not in "".join(printed)


def _elsewhere(stage: Stage, token: str) -> LoadDistribution:
    port = stage.layout.dns.port + 1  # of this test's own ports
    given = {"workers": "0", "workers_elsewhere": "1", "workers_at": f"127.0.0.1:{port}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TOKEN_VARIABLE, token)
        return load_distribution_of(given.__getitem__)


def test_a_token_of_ones_own_must_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short or strange ones are refused; none given, one is made for the run."""
    read: Callable[[str], str] = {"workers": "0", "workers_elsewhere": "1", "workers_at": "127.0.0.1:0"}.__getitem__
    for weak in ("secret", "a" * 31, "--token", "z" * 48):
        monkeypatch.setenv(TOKEN_VARIABLE, weak)
        with pytest.raises(UnusableInput, match="openssl rand"):
            load_distribution_of(read)
    monkeypatch.delenv(TOKEN_VARIABLE)
    made = load_distribution_of(read)
    assert len(made.token) == 48
    assert not made.meeting.token_is_known


@pytest.mark.parametrize(
    ("kind", "workers", "words"),
    [
        ("kubernetes", Workers(0, IMAGE, "h:1", "s"), "--workers 0"),
        ("kubernetes", Workers(1, IMAGE, "h", "s"), "--master h "),
        ("kubernetes", Workers(1, IMAGE, "h:65535", "s"), "--master"),
        ("kubernetes", Workers(1, IMAGE, "h:1; reboot", "s"), "--master"),
        ("kubernetes", Workers(1, "a b", "h:1", "s"), "--image"),
        ("chart", Workers(1, "registry:5000/drill", "h:1", "s"), "no tag"),
        ("ecs", Workers(1, IMAGE, "h:1", "drill-token"), "no ARN"),
        ("kubernetes", Workers(1, IMAGE, "h:1", ARN), "Kubernetes secret"),
        ("kubernetes", Workers(1, IMAGE, "h:1", "s", 5), "--deadline"),
    ],
)
def test_what_cannot_work_is_refused(kind: str, workers: Workers, words: str) -> None:
    """In a sentence that names the option."""
    assert words in str(mistake(kind, workers))


@pytest.mark.parametrize("master", ["127.0.0.1:7000", "[::1]:7000", "drill.internal:7000"])
def test_addresses_that_a_drill_prints_are_taken(master: str) -> None:
    """Those of IPv6 too."""
    assert mistake("kubernetes", Workers(1, IMAGE, master, "s")) is None
