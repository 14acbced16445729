"""Which region an address of API Gateway leads to, although the addresses behind its names come and go."""

from __future__ import annotations

import time

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.targets.aws.world import RegionOf


def test_an_unknown_address_has_both_names_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most once a second; what was seen once stays known, and a name that cannot be resolved is nobody's."""
    now_s, asked = 100.0, []
    answers = {"d-east": ["192.0.2.1"], "d-west": ["192.0.2.2"]}

    def addresses(name: str) -> list[str]:
        asked.append(name)
        if not answers[name]:
            raise UnusableInput("it cannot be resolved")
        return answers[name]

    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    region_of = RegionOf({"d-east": "us-east-1", "d-west": "us-west-2"}, addresses)
    assert region_of("192.0.2.1") == "us-east-1"
    assert region_of("192.0.2.2") == "us-west-2"
    assert len(asked) == 2
    answers["d-east"], answers["d-west"] = ["192.0.2.3"], []
    assert region_of("192.0.2.3") is None, "a second has not passed"
    now_s += 1.0
    assert region_of("192.0.2.3") == "us-east-1"
    assert region_of("192.0.2.2") == "us-west-2"
