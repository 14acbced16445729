"""docker-compose.yml says what the harness and the workflows take for granted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LOCALSTACKS: dict[str, dict[str, Any]] = {
    name.removeprefix("localstack-"): service
    for name, service in COMPOSE["services"].items()
    if name.startswith("localstack-")
}
PUBLISHED = {where: f"http://{s['ports'][0].rpartition(':')[0]}" for where, s in LOCALSTACKS.items()}


def _urls(text: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in text.split(","))


def test_there_is_a_localstack_for_each_region_and_one_for_global_services() -> None:
    """So that a region that is lost takes its API along."""
    assert set(LOCALSTACKS) == {"us-east-1", "us-west-2", "global"}


@pytest.mark.parametrize("where", LOCALSTACKS)
def test_a_localstack_is_pinned_quiet_and_reached_from_this_machine_alone(where: str) -> None:
    """The last release without a licence, nothing told to its makers, ports on loopback, a health check."""
    service = LOCALSTACKS[where]
    assert service["image"] == "localstack/localstack:4.14"
    assert service["environment"]["DISABLE_EVENTS"] == "1"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["healthcheck"]["test"]


def test_the_drill_inside_asks_the_localstacks_of_its_network_once_they_are_healthy() -> None:
    """By service name and by the port inside."""
    drill = COMPOSE["services"]["drill"]
    assert _urls(drill["environment"]["LOCALSTACK_URLS"]) == {w: f"http://localstack-{w}:4566" for w in LOCALSTACKS}
    assert drill["depends_on"] == {f"localstack-{w}": {"condition": "service_healthy"} for w in LOCALSTACKS}


@pytest.mark.parametrize("path", ["docker-compose.yml", ".github/workflows/ci.yml", ".github/workflows/gameday.yml"])
def test_whoever_asks_them_from_outside_is_told_the_ports_published(path: str) -> None:
    """What people copy from the file's head and what the workflows export is where they are."""
    told = re.findall(r"LOCALSTACK_URLS=(\S+?)\"?(?:\s|$)", (ROOT / path).read_text())
    assert told
    assert all(_urls(urls) == PUBLISHED for urls in told)


@pytest.mark.parametrize("path", [".github/workflows/ci.yml", ".github/workflows/gameday.yml"])
def test_workflows_start_services_that_there_are(path: str) -> None:
    """All of them, by name."""
    started = re.findall(r"docker compose up --detach --wait (.+)", (ROOT / path).read_text())
    assert started
    assert all(set(names.split()) == {f"localstack-{w}" for w in LOCALSTACKS} for names in started)
