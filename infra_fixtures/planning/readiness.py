"""The preflight of a real account: may who acts there do it, before anything is made; is its system ready, before it breaks?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import closing

from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.policies import Narrowing
from infra_fixtures.preflight.check import Finding, Verdict
from infra_fixtures.preflight.flight import described, require_ready, system_findings
from infra_fixtures.preflight.rights import holder_of, rights
from infra_fixtures.provision.naming import RUN_TAG
from infra_fixtures.safety.journal import Header
from infra_fixtures.targets import is_guarded, module_of
from infra_fixtures.targets.holders import Holders
from infra_fixtures.targets.world import World

Show = Callable[[str], None]


def account_findings(run: Header) -> list[Finding]:
    """May each role do what it will be asked to? None for a target that touches no account, or makes nothing in it."""
    module = module_of(run.target)
    if not is_guarded(run.target, run.options) or not hasattr(module, "holders"):
        return []
    holders: Holders = module.holders(run)
    with closing(holders):
        sts, iam = holders.client("sts", holders.regions[0]), holders.client("iam", None)
        narrowing = Narrowing(holders.regions, holders.name, RUN_TAG, account=holders.account)
        acting = {role: holder_of(sts, holders.roles.get(role.value, "")) for role in Role}
        return rights(iam, acting, narrowing)


def require_account(run: Header, show: Show) -> None:
    """Raise NotReady where a role lacks something, before anything is changed; what else was found is shown."""
    _require(run, account_findings(run), show)


def require_system(run: Header, world: World, show: Show) -> None:
    """Raise NotReady where a system in a real account is not ready to be broken; nothing for other targets."""
    if is_guarded(run.target, run.options):
        _require(run, system_findings(world), show)


def _require(run: Header, findings: Iterable[Finding], show: Show) -> None:
    accepted = set(run.options.get("accept_finding") or ())
    told = [_accepted(finding) if finding.check in accepted else finding for finding in findings]
    if notable := [finding for finding in told if finding.verdict is not Verdict.OK]:
        show(described(notable))
    require_ready(told)


def _accepted(finding: Finding) -> Finding:
    """A person knows of it: it is said, and refuses nothing."""
    if finding.verdict is not Verdict.REFUSE:
        return finding
    return dataclasses.replace(finding, verdict=Verdict.UNKNOWN, says=f"accepted by --accept-finding: {finding.says}")
