"""What the localstack target is told: read whole, or refused in one sentence before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.targets import TARGETS, read_options
from infra_fixtures.targets.attach.options import TOPOLOGY
from infra_fixtures.targets.guard_options import GUARD_OPTIONS
from infra_fixtures.targets.localstack import installation
from infra_fixtures.targets.localstack.installation import ready_python
from infra_fixtures.targets.localstack.loopback import refuse_elsewhere, refuse_public
from infra_fixtures.targets.localstack.options import PYTHON_VARIABLE, URLS_VARIABLE, Settings
from infra_fixtures.targets.localstack.service_routing import TABLE, moto_services

REGIONS = ("us-east-1", "us-west-2")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests."""
    for name in (PYTHON_VARIABLE, URLS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_nothing_given_means_one_of_ours_for_each() -> None:
    """Without options nothing is shared, no address is used, and Python is looked for."""
    assert Settings.read({}, REGIONS) == Settings(False, {}, None)


def test_addresses_come_from_the_options_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's are taken with the options where the command line gives none, and never later: whoever heals the
    run has another environment."""
    monkeypatch.setenv(URLS_VARIABLE, "all=http://127.0.0.1:4566/, ")
    options = read_options("localstack", lambda _name: None)
    monkeypatch.setenv(URLS_VARIABLE, "all=http://127.0.0.1:1")
    assert Settings.read(options, REGIONS).urls == {"all": "http://127.0.0.1:4566"}
    assert Settings.read({}, REGIONS).urls == {}
    given = [f"{where}=http://127.0.0.1:{4566 + i}" for i, where in enumerate((*REGIONS, "global"))]
    urls = Settings.read({"localstack_endpoint": given}, REGIONS).urls
    assert urls["global"] == "http://127.0.0.1:4568"
    assert urls.keys() == {*REGIONS, "global"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("us-east-1=http://127.0.0.1:4566", "global, us-west-2"),
        ("eu-north-1=http://127.0.0.1:4566", "eu-north-1=http://127.0.0.1:4566 is not WHERE=URL"),
        ("all=127.0.0.1:4566", "is not WHERE=URL"),
        ("all=http://9.9.9.9:4566", "http://9.9.9.9:4566 is no LocalStack"),
    ],
)
def test_half_an_answer_is_refused(given: str, named: str) -> None:
    """A missing region, an unknown one, no URL and a public address are each refused by name."""
    with pytest.raises(UnusableInput, match=named):
        Settings.read({"localstack_endpoint": [given]}, REGIONS)


def test_nothing_but_loopback_is_spoken_to() -> None:
    """AWS's own address is refused; this machine's and a private network's are not."""
    with pytest.raises(UnusableInput, match="is not this machine"):
        refuse_elsewhere("https://9.9.9.9")
    with pytest.raises(UnusableInput, match="is not this machine"):
        refuse_elsewhere("http://10.0.0.7:4566")
    refuse_elsewhere("http://127.77.3.21:14566")
    refuse_public("http://10.0.0.7:4566")


def test_a_licensed_localstack_answers_what_only_the_licence_lacks() -> None:
    """What LocalStack says it has goes to it, except where our data plane needs moto."""
    free = moto_services(named=True)
    licensed = moto_services(["apigatewayv2", "rds", "cloudfront", "route53"], named=True)
    assert free - licensed == {"apigatewayv2", "cloudfront"}
    assert {"rds", "route53"} <= licensed
    assert moto_services(named=False) - free == {"apigateway"}
    assert len({row.service for row in TABLE}) == len(TABLE)
    assert all(row.because for row in TABLE)


def test_without_python_3_13_one_sentence_says_how_to_mend_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that is not 3.13 is refused with both ways out, and nothing is installed."""
    monkeypatch.setattr(installation, "ENVIRONMENT", tmp_path / "venv")
    other = tmp_path / "python3.9"
    other.write_text("#!/bin/sh\necho 3 9\n")
    other.chmod(0o755)
    with pytest.raises(UnusableInput, match=rf"needs Python 3\.13 .*{PYTHON_VARIABLE}.*--localstack-endpoint"):
        ready_python(other)
    assert not (tmp_path / "venv").exists()


def test_every_option_of_a_target_is_its_own() -> None:
    """It begins with its target's name; what real accounts have in common, and the description of a system, are alone."""
    flags = {(name, o.flag) for name, target in TARGETS.items() for o in target.options if o not in GUARD_OPTIONS}
    assert {flag for name, flag in flags if not flag.startswith(f"--{name}-")} == {f"--{TOPOLOGY}"}
