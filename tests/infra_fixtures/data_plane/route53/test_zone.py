"""What is answered to a question, by records and health alone."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from infra_fixtures.data_plane.route53.aws_names import AwsNames
from infra_fixtures.data_plane.route53.records import HostedZone, read_record
from infra_fixtures.data_plane.route53.zone import NOERROR, NXDOMAIN, REFUSED, Answer, Tables
from infra_fixtures.run_layout import RunLayout

ZONE = "dr-drill.example."
SOA = {
    "Name": ZONE,
    "Type": "SOA",
    "TTL": 900,
    "ResourceRecords": [{"Value": "ns-1.awsdns-1.com. hostmaster.amazon.com. 1 7200 900 1209600 86400"}],
}


class Zone:
    """A zone under test and the health checks that are unhealthy."""

    def __init__(self, layout: RunLayout) -> None:
        self.layout = layout
        self.ill: set[str] = set()
        self.records: list[dict[str, Any]] = [SOA]
        self.tables = Tables(
            names=AwsNames(layout),
            health_check=lambda check: check not in self.ill,
            pace=layout.pace,
            regions=[r.name for r in layout.regions],
            chance=random.Random(1),
        )

    def add(self, name: str, *values: str, kind: str = "A", ttl: int = 60, **more: Any) -> None:
        """Add a record set."""
        content: dict[str, Any] = (
            {}
            if "AliasTarget" in more
            else {
                "TTL": ttl,
                "ResourceRecords": [{"Value": v} for v in values],
            }
        )
        self.records.append({"Name": f"{name}.{ZONE}" if name else ZONE, "Type": kind, **content, **more})
        self.tables.replace([HostedZone(ZONE, [read_record(r) for r in self.records])])

    def ask(self, name: str, kind: str = "A") -> Answer:
        """Ask for a name in the zone, or an absolute one."""
        return self.tables.answer(name if name.endswith(".") else f"{name}.{ZONE}", kind)

    def values(self, name: str, kind: str = "A") -> list[str]:
        """The values of the last record set of an answer."""
        answers = self.ask(name, kind).answers
        return sorted(answers[-1].values) if answers else []


@pytest.fixture
def zone(layout: RunLayout) -> Zone:
    """An empty zone."""
    return Zone(layout)


def failover(zone: Zone) -> None:
    """A PRIMARY and a SECONDARY with a health check each."""
    zone.add("api", "192.0.2.1", SetIdentifier="p", Failover="PRIMARY", HealthCheckId="east")
    zone.add("api", "192.0.2.2", SetIdentifier="s", Failover="SECONDARY", HealthCheckId="west")


@pytest.mark.parametrize(
    ("ill", "answered"),
    [(set(), "192.0.2.1"), ({"east"}, "192.0.2.2"), ({"west"}, "192.0.2.1"), ({"east", "west"}, "192.0.2.1")],
)
def test_failover_answers_the_secondary_only_while_it_alone_is_healthy(
    zone: Zone, ill: set[str], answered: str
) -> None:
    """Primary while healthy, and again where nothing is healthy at all."""
    failover(zone)
    zone.ill = ill
    assert zone.values("api") == [answered]


def test_ttl_runs_at_the_pace_of_the_run(zone: Zone) -> None:
    """A TTL of 60 s is 6 s at pace 10, and never less than one."""
    zone.add("a", "192.0.2.1", ttl=60)
    zone.add("b", "192.0.2.1", ttl=1)
    assert [zone.ask(n).answers[0].ttl_s for n in ("a", "b")] == [6, 1]


def test_alias_to_api_gateway_leads_to_the_region_s_edge(zone: Zone) -> None:
    """Failover aliases with EvaluateTargetHealth and a health check flip from one region's edge to the other's."""
    for role, region, check in (("PRIMARY", "us-east-1", "east"), ("SECONDARY", "us-west-2", "west")):
        target = {
            "HostedZoneId": "Z2FDTNDATAQYW2",
            "DNSName": f"d-abc.execute-api.{region}.amazonaws.com.",
            "EvaluateTargetHealth": True,
        }
        zone.add("api", SetIdentifier=region, Failover=role, HealthCheckId=check, AliasTarget=target)
    assert zone.values("api") == [zone.layout.primary.edge.host]
    assert zone.ask("api").answers[0].ttl_s == 6
    zone.ill = {"east"}
    assert zone.values("api") == [zone.layout.standby.edge.host]


def test_alias_in_the_zone_inherits_the_health_of_its_target(zone: Zone) -> None:
    """A failover alias whose target group has no healthy set left gives way; without EvaluateTargetHealth it stays."""
    for n in (1, 2):
        zone.add("east", f"192.0.2.{n}", SetIdentifier=f"e{n}", Weight=1, HealthCheckId=f"e{n}")
    zone.add("west", "192.0.2.9")

    def alias(target: str, evaluate: bool) -> dict[str, Any]:
        return {"HostedZoneId": "Z", "DNSName": f"{target}.{ZONE}", "EvaluateTargetHealth": evaluate}

    zone.add("api", SetIdentifier="p", Failover="PRIMARY", AliasTarget=alias("east", True))
    zone.add("api", SetIdentifier="s", Failover="SECONDARY", AliasTarget=alias("west", True))
    zone.add("blind", SetIdentifier="p", Failover="PRIMARY", AliasTarget=alias("east", False))
    zone.add("blind", SetIdentifier="s", Failover="SECONDARY", AliasTarget=alias("west", False))
    zone.ill = {"e1"}
    assert zone.values("api") == ["192.0.2.2"]
    zone.ill = {"e1", "e2"}
    assert zone.values("api") == ["192.0.2.9"]
    assert zone.values("blind")[0] in {"192.0.2.1", "192.0.2.2"}


def test_weights_share_the_answers(zone: Zone) -> None:
    """Weights 3 and 1 get about three quarters and one quarter; weight 0 nothing until all others are unhealthy."""
    for n, weight in ((1, 3), (2, 1), (3, 0)):
        zone.add("w", f"192.0.2.{n}", SetIdentifier=str(n), Weight=weight, HealthCheckId=f"h{n}")
    drawn = Counter(zone.values("w")[0] for _ in range(2000))
    assert 0.70 < drawn["192.0.2.1"] / 2000 < 0.80
    assert drawn["192.0.2.3"] == 0
    zone.ill = {"h1", "h2"}
    assert zone.values("w") == ["192.0.2.3"]
    zone.ill = {"h1", "h2", "h3"}
    assert {zone.values("w")[0] for _ in range(100)} == {"192.0.2.1", "192.0.2.2"}


def test_all_weights_zero_share_alike(zone: Zone) -> None:
    """A group of zero weights is answered with equal probability."""
    for n in (1, 2):
        zone.add("w", f"192.0.2.{n}", SetIdentifier=str(n), Weight=0)
    drawn = Counter(zone.values("w")[0] for _ in range(1000))
    assert 400 < drawn["192.0.2.1"] < 600


def test_multivalue_answers_with_the_healthy_up_to_eight(zone: Zone) -> None:
    """Unhealthy sets are left out; ten healthy ones give eight; none healthy gives unhealthy ones."""
    for n in range(10):
        zone.add("m", f"192.0.2.{n}", SetIdentifier=str(n), MultiValueAnswer=True, HealthCheckId=f"h{n}")
    assert len(zone.values("m")) == 8
    zone.ill = {f"h{n}" for n in range(9)}
    assert zone.values("m") == ["192.0.2.9"]
    zone.ill.add("h9")
    assert len(zone.values("m")) == 8


def test_simple_records_give_all_values(zone: Zone) -> None:
    """A simple set answers all of its values, first now one, now another."""
    zone.add("s", "192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert zone.values("s") == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert len({zone.ask("s").answers[0].values[0] for _ in range(50)}) == 3


def test_cname_is_followed_into_aws(zone: Zone) -> None:
    """A CNAME answers with itself and with what it leads to, in the zone or at API Gateway."""
    zone.add("www", f"api.{ZONE}", kind="CNAME")
    zone.add("api", "x.execute-api.us-west-2.amazonaws.com", kind="CNAME")
    answer = zone.ask("www")
    assert [s.type for s in answer.answers] == ["CNAME", "CNAME", "A"]
    assert answer.answers[-1].values == (zone.layout.standby.edge.host,)
    assert [s.type for s in zone.ask("www", "CNAME").answers] == ["CNAME"]


def test_no_data_is_not_no_name(zone: Zone) -> None:
    """AAAA of a name with an A, and a name that only has names below it, are NODATA; an unknown one is NXDOMAIN."""
    zone.add("a.b", "192.0.2.1")
    for name, kind, rcode in (("a.b", "AAAA", NOERROR), ("b", "A", NOERROR), ("c", "A", NXDOMAIN)):
        answer = zone.ask(name, kind)
        assert (answer.rcode, answer.answers) == (rcode, ())
        assert [(s.name, s.type, s.ttl_s) for s in answer.authority] == [(ZONE, "SOA", 90)]


def test_other_zones_are_refused_but_for_aws_s_own_names(zone: Zone) -> None:
    """Names outside the zone are refused, API Gateway's of this run's regions answered, without AAAA."""
    zone.add("a", "192.0.2.1")
    assert zone.ask("example.org.").rcode == REFUSED
    assert zone.ask("x.execute-api.eu-west-1.amazonaws.com.").rcode == REFUSED
    gateway = "x.execute-api.us-east-1.amazonaws.com."
    assert zone.values(gateway) == [zone.layout.primary.edge.host]
    assert (zone.ask(gateway, "AAAA").rcode, zone.ask(gateway, "AAAA").answers) == (NOERROR, ())


def test_wildcard_answers_for_names_that_are_not_there(zone: Zone) -> None:
    r"""\052 of the API is an asterisk; a name that exists is not covered by it."""
    zone.add(r"\052.w", "192.0.2.1")
    zone.add("own.w", "text", kind="TXT")
    assert zone.values("any.w") == ["192.0.2.1"]
    assert zone.values("own.w") == []
    assert zone.ask("own.w").rcode == NOERROR


def test_cname_loop_ends(zone: Zone) -> None:
    """Two CNAMEs that lead to each other are answered with a chain of limited length."""
    zone.add("x", f"y.{ZONE}", kind="CNAME")
    zone.add("y", f"x.{ZONE}", kind="CNAME")
    assert 2 <= len(zone.ask("x").answers) <= 8
