"""`attach --init`: asked or told by flags, it writes a description that reads, says what answers, and holds no secret."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.__main__ import main
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.targets.attach.description import Description
from infra_fixtures.targets.attach.questions import QUESTIONS, answers, write
from tests.attached.scripted import CONTRACT, NAME, Scripted, scripted


@pytest.fixture
def system(layout: RunLayout, tmp_path: Path) -> Iterator[Scripted]:
    """One that stands."""
    with scripted(layout, tmp_path) as stands:
        (tmp_path / "orders.toml").write_text(CONTRACT)
        yield stands


def flags(system: Scripted, **changed: str) -> list[str]:
    """All that has no default."""
    said = {
        "topology": str(system.directory / "told.toml"),
        "name": "orders",
        "workload": "orders.toml",
        "service-url": f"http://{NAME}:{system.port}",
        "service-dns": f"{system.names.host}:{system.names.port}",
        "primary-url": f"http://{system.primary}:{system.port}",
        "standby-url": f"http://{system.standby}:{system.port}",
        "break-command": "stop it",
        **changed,
    }
    return ["attach", "--init", *(word for name, value in said.items() for word in (f"--{name}", value))]


def test_flags_write_a_description_and_reach_the_system(system: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is asked; each way in is tried; what has no command is a person's."""
    assert main(flags(system, failback="left")) == 0
    told = capsys.readouterr().out
    assert f"{NAME}: {system.primary}, which is primary" in told
    assert f"standby: http://{system.standby}:{system.port}/health answers 200" in told
    found = Description.read(system.directory / "told.toml")
    assert found.break_ == {"command": "stop it"}
    assert found.heal is not None
    assert found.heal.needs_person
    assert (found.failback, found.rate, found.rate_cap) == ("left", 10.0, 20.0)
    assert main(flags(system)) == 2
    assert "told.toml is there already" in capsys.readouterr().err


def test_what_does_not_answer_is_said(system: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is written, the sentence says what is not as described, and the status is 1."""
    elsewhere = f"http://{system.standby}:1"
    assert main(flags(system, **{"primary-url": elsewhere, "service-dns": f"{system.standby}:9"})) == 1
    told = capsys.readouterr().out
    assert f"NOT AS DESCRIBED primary: {elsewhere}/health does not answer" in told
    assert f"NOT AS DESCRIBED {NAME}: the name server does not answer" in told


def test_what_is_missing_or_wrong_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The flag that is missing, and the mistake in the description, are one sentence."""
    path = tmp_path / "told.toml"
    assert main(["attach", "--init", "--topology", str(path), "--name", "orders"]) == 2
    assert "--service-url is missing: at which URL do users reach it" in capsys.readouterr().err
    with pytest.raises(UnusableInput, match="rate_cap"):
        write(path, {**answered(), "rate_cap": "many"})
    assert not path.exists()


def test_a_person_is_asked_what_no_flag_said(tmp_path: Path) -> None:
    """With the default beside it; an empty answer takes that."""
    asked: list[str] = []

    def ask(words: str) -> str:
        asked.append(words)
        return "" if "[" in words else "http://127.0.0.1:1"

    found = answers({"name": "orders", "service.dns": ""}, ask)
    assert len(asked) == len(QUESTIONS) - 2
    assert any(words.endswith("normal operation [primary]? ") for words in asked)
    assert found["rate_cap"] == "20"
    assert found["break.command"] == "http://127.0.0.1:1"


def test_a_command_gives_roles_back(tmp_path: Path) -> None:
    """Where the last answer is neither of the two words."""
    write(tmp_path / "told.toml", {**answered(), "failback": "give it back", "failover.command": "promote"})
    tables = tomllib.loads((tmp_path / "told.toml").read_text())
    assert tables["failback"] == {"command": "give it back"}
    assert tables["failover"] == {"command": "promote"}


def answered() -> dict[str, str]:
    """Answers that are well."""
    own = {"name": "orders", "service.url": "http://127.0.0.1:1", "primary.url": "http://127.0.0.2:1"}
    own |= {"standby.url": "http://127.0.0.3:1", "break.command": "a", "heal.command": "b"}
    return answers(own, None)
