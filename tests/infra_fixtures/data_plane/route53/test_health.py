"""What Route 53 makes of votes, alarms and other health checks."""

from __future__ import annotations

import pytest

from infra_fixtures.data_plane.route53.checkers import Checker
from infra_fixtures.data_plane.route53.health import HealthCheck, HealthStates, endpoint_healthy, read_health_check

HTTP = {"Type": "HTTP", "FullyQualifiedDomainName": "x.example", "RequestInterval": 10, "FailureThreshold": 3}


def states(*checks: HealthCheck) -> HealthStates:
    """Health states of these checks, worked out once."""
    made = HealthStates()
    made.configure(checks)
    made.refresh()
    return made


@pytest.mark.parametrize(
    ("votes", "healthy"),
    [([], True), ([False] * 3, False), ([True, False, False], True), ([True, True] + [False] * 14, False)],
)
def test_an_endpoint_is_healthy_while_more_than_18_percent_say_so(votes: list[bool], healthy: bool) -> None:
    """One of three suffices, two of sixteen do not; a new check without votes is healthy."""
    assert endpoint_healthy(votes) is healthy


@pytest.mark.parametrize(
    ("disabled", "inverted", "healthy"),
    [(False, False, False), (False, True, True), (True, False, True), (True, True, False)],
)
def test_disabled_counts_as_healthy_and_inverted_turns_it_round(disabled: bool, inverted: bool, healthy: bool) -> None:
    """An endpoint all of whose checkers fail, under each setting."""
    check = read_health_check({"Id": "h", "HealthCheckConfig": {**HTTP, "Disabled": disabled, "Inverted": inverted}})
    made = states(check)
    made.votes["h"] = [False, False, False]
    made.refresh()
    assert made.healthy("h") is healthy


@pytest.mark.parametrize(("threshold", "healthy"), [(0, True), (1, True), (2, False), (3, False)])
def test_calculated_counts_its_healthy_children(threshold: int, healthy: bool) -> None:
    """One healthy child of two meets a threshold of one; zero is always met, more than there are never."""
    ill = read_health_check({"Id": "a", "HealthCheckConfig": {**HTTP, "Disabled": True, "Inverted": True}})
    well = read_health_check({"Id": "b", "HealthCheckConfig": HTTP})
    parent = HealthCheck("c", "CALCULATED", children=("a", "b"), health_threshold=threshold)
    assert states(ill, well, parent).healthy("c") is healthy


@pytest.mark.parametrize(
    ("insufficient", "after_alarm"), [("Healthy", True), ("Unhealthy", False), ("LastKnownStatus", False)]
)
def test_an_alarm_decides_and_insufficient_data_as_configured(insufficient: str, after_alarm: bool) -> None:
    """OK is healthy, ALARM is not, INSUFFICIENT_DATA is what the health check says or what it was."""
    alarm = ("us-west-2", "low")
    made = states(HealthCheck("h", "CLOUDWATCH_METRIC", alarm=alarm, insufficient=insufficient))
    seen = []
    for state in ("OK", "ALARM", "INSUFFICIENT_DATA"):
        made.alarms[alarm] = state
        made.refresh()
        seen.append(made.healthy("h"))
    assert seen == [True, False, after_alarm]


def test_a_checker_changes_its_mind_after_the_threshold_both_ways() -> None:
    """Three contradictions in a row turn it; one agreement in between starts the count again."""
    checker = Checker("us-east-1", "15.177.2.11")
    looks = "FFSFFF" + "SSFSSS"
    turned = [checker.saw("Success" if look == "S" else "Failure", 3) for look in looks]
    assert [i for i, t in enumerate(turned) if t] == [5, 11]


def test_refresh_tells_only_what_changed() -> None:
    """A second look without news says nothing; a new check that is unhealthy is news."""
    check = read_health_check({"Id": "h", "HealthCheckConfig": {**HTTP, "Disabled": True, "Inverted": True}})
    made = HealthStates()
    made.configure([check])
    assert made.refresh() == [(check, False)]
    assert made.refresh() == []
