"""What the aws target can be told, and what is refused in a sentence before anything is asked of AWS."""

from __future__ import annotations

from typing import Any

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.targets.aws.options import Settings

ENDPOINTS = ["us-east-1=http://127.0.0.1:1", "us-west-2=http://127.0.0.1:2/", "global=http://127.0.0.1:3"]
EMULATOR = {"aws_endpoint": ENDPOINTS, "aws_name_server": "127.0.0.1:53"}


def test_an_emulator_is_its_endpoints_and_its_name_server() -> None:
    """Every region has a URL, and no zone has to be there."""
    settings = Settings.read(EMULATOR)
    assert settings.emulator is not None
    assert settings.endpoints == {
        "us-east-1": "http://127.0.0.1:1",
        "us-west-2": "http://127.0.0.1:2",
        "global": "http://127.0.0.1:3",
    }
    assert settings.emulator.name_server == ("127.0.0.1", 53)


def test_aws_needs_a_zone() -> None:
    """Its id, with or without what Route 53 puts before it."""
    assert Settings.read({"aws_zone": "/hostedzone/Z123"}).zone_id == "Z123"
    assert Settings.read({"aws_zone": "Z123"}).endpoints == {}
    with pytest.raises(UnusableInput, match="--aws-zone is missing"):
        Settings.read({})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"aws_endpoint": ENDPOINTS[:2], "aws_name_server": "127.0.0.1:53"}, "says nothing for global"),
        ({"aws_endpoint": ["eu-west-1=http://127.0.0.1:1"]}, "is not REGION=URL"),
        ({"aws_endpoint": ["us-east-1=127.0.0.1:1"]}, "is not REGION=URL"),
        ({**EMULATOR, "aws_name_server": "127.0.0.1"}, "is not HOST:PORT"),
        ({**EMULATOR, "aws_deployment": "with-hyphen"}, "cannot name AWS resources"),
        ({**EMULATOR, "aws_deployment": "1st"}, "a letter first"),
        ({**EMULATOR, "aws_breaker_role": "drill"}, "--aws-breaker-role drill is no role"),
        ({**EMULATOR, "aws_hours": "soon"}, "--aws-hours soon"),
        ({**EMULATOR, "aws_hours": "13"}, "give 0.25 to 12"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], sentence: str) -> None:
    """One sentence that names the option and says how to mend it."""
    with pytest.raises(UnusableInput, match=sentence):
        Settings.read(given)
