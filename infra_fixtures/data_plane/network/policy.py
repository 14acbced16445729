"""The network policy of a region: lets each of its links admit what security groups, network ACLs and routes admit.

writer, reader: a function's subnet and groups to the database's, port 5432. egress: to AWS's APIs, port 443, over the
internet or a service endpoint. edge: from the internet into the public subnets, port 443. One `Reachability` for each subnet
that connections come from (for the edge: go to): they take them in turn, as they would the availability zones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra_fixtures.data_plane.network.conditions import OPEN, Reachability
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.data_plane.network.rules import (
    ANYWHERE,
    EPHEMERAL,
    SecurityGroup,
    Subnet,
    acl_admits,
    acls_admit,
    groups_admit,
)
from infra_fixtures.data_plane.network.vpc import Placement, Vpc, VpcReader
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.run_layout import RunLayout

POSTGRES = 5432
HTTPS = 443
PUBLIC = "public"


class NetworkPolicy:
    """A reconciler of `ec2` (and of where functions and clusters sit) for some of a region's links, by their names."""

    def __init__(self, layout: RunLayout, region: str, links: Mapping[str, Link]) -> None:
        self._reader = VpcReader(layout, region)
        self._links = links
        self._public: set[str] = set()

    @property
    def services(self) -> frozenset[str]:
        """Reconciles EC2, and Lambda and RDS for the placement of functions and clusters."""
        return frozenset({"ec2", "lambda", "rds"})

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Judge anew and set the links."""
        self._reader.mark(changes)
        vpc = await self._reader.read()
        for name, link in self._links.items():
            source_reachability = self._source_reachability(name, vpc)
            if list(link.source_reachability) != source_reachability:
                link.set_source_reachability(source_reachability)

    def _source_reachability(self, name: str, vpc: Vpc) -> list[Reachability]:
        if vpc.functions is None:
            return [OPEN]
        if name == "edge":
            return self._edge(vpc) or [OPEN]
        if name == "egress":
            return _egress(vpc, vpc.functions) or [OPEN]
        return [OPEN] if vpc.database is None else _database(vpc, vpc.functions, vpc.database) or [OPEN]

    def _edge(self, vpc: Vpc) -> list[Reachability]:
        """Through the public subnets: those named so, or that once had a route to an internet gateway."""
        own = set() if vpc.functions is None else set(vpc.functions.subnets)
        homes = {vpc.subnets[s].vpc for s in own if s in vpc.subnets}
        for subnet in vpc.subnets.values():
            leads_out = subnet.default_route is not None and subnet.default_route.startswith("igw-")
            if subnet.vpc in homes and subnet.id not in own and (leads_out or PUBLIC in subnet.name.lower()):
                self._public.add(subnet.id)
        source_reachability = []
        for subnet in (vpc.subnets[s] for s in sorted(self._public) if s in vpc.subnets):
            passes = (
                subnet.default_route is not None
                and acl_admits(subnet.acl, egress=False, ports=(HTTPS, HTTPS), peer=ANYWHERE)
                and acl_admits(subnet.acl, egress=True, ports=EPHEMERAL, peer=ANYWHERE)
            )
            source_reachability.append(Reachability(opens=passes, tracked=True, stateless=passes))
        return source_reachability


def _database(vpc: Vpc, functions: Placement, database: Placement) -> list[Reachability]:
    """From each of the functions' subnets to the database's."""
    out, into = _groups(vpc, functions), _groups(vpc, database)
    target = next((vpc.subnets[s] for s in database.subnets if s in vpc.subnets), None)
    source_reachability = []
    for source in _subnets(vpc, functions):
        target_cidr = source.cidr if target is None else target.cidr
        opens = groups_admit(
            out, egress=True, port=POSTGRES, peer=target_cidr, peer_groups=database.groups
        ) and groups_admit(into, egress=False, port=POSTGRES, peer=source.cidr, peer_groups=functions.groups)
        stateless = target is None or acls_admit(source, target, POSTGRES)
        source_reachability.append(
            Reachability(opens=opens, tracked=_tracked(out) and _tracked(into), stateless=stateless)
        )
    return source_reachability


def _egress(vpc: Vpc, functions: Placement) -> list[Reachability]:
    """From each of the functions' subnets to AWS's APIs."""
    out = _groups(vpc, functions)
    opens = groups_admit(out, egress=True, port=HTTPS, peer=ANYWHERE, peer_groups=frozenset())
    return [
        Reachability(
            opens=opens,
            tracked=_tracked(out),
            stateless=(subnet.default_route is not None or subnet.vpc in vpc.endpoints)
            and acl_admits(subnet.acl, egress=True, ports=(HTTPS, HTTPS), peer=ANYWHERE)
            and acl_admits(subnet.acl, egress=False, ports=EPHEMERAL, peer=ANYWHERE),
            denied=_denied_by_acl(vpc, subnet) | _denied_by_endpoint(vpc, functions, subnet),
        )
        for subnet in _subnets(vpc, functions)
    ]


def _denied_by_acl(vpc: Vpc, subnet: Subnet) -> frozenset[str]:
    """The services of whose addresses the subnet's ACL denies some."""
    return frozenset(
        service
        for service, addresses in vpc.prefixes.items()
        if not all(
            acl_admits(subnet.acl, egress=True, ports=(HTTPS, HTTPS), peer=peer)
            and acl_admits(subnet.acl, egress=False, ports=EPHEMERAL, peer=peer)
            for peer in addresses
        )
    )


def _denied_by_endpoint(vpc: Vpc, functions: Placement, subnet: Subnet) -> frozenset[str]:
    """The services whose interface endpoint lets the subnet's functions not in; one without groups that are known does."""
    return frozenset(
        endpoint.service
        for endpoint in vpc.interfaces
        if endpoint.vpc == subnet.vpc
        and endpoint.groups
        and all(g in vpc.groups for g in endpoint.groups)
        and not groups_admit(
            [vpc.groups[g] for g in endpoint.groups],
            egress=False,
            port=HTTPS,
            peer=subnet.cidr,
            peer_groups=functions.groups,
        )
    )


def _groups(vpc: Vpc, placement: Placement) -> list[SecurityGroup]:
    return [vpc.groups[g] for g in sorted(placement.groups) if g in vpc.groups]


def _subnets(vpc: Vpc, placement: Placement) -> list[Subnet]:
    return [vpc.subnets[s] for s in placement.subnets if s in vpc.subnets]


def _tracked(groups: Sequence[SecurityGroup]) -> bool:
    return not any(group.untracked for group in groups)
