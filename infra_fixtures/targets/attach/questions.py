"""`attach --init`: asks what must be known of a system, reaches it, and writes its description; never a secret.

Each answer is a flag as well, so that a script can give them all; then nothing is asked.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.resolver
import tomli_w
import urllib3

from drill.unusable import UnusableInput
from infra_fixtures.targets.attach.description import Description
from infra_fixtures.targets.attach.place import is_name, regions_by_address
from traffic.contract import Contract
from traffic.contract_file import read_contract

LIMIT = urllib3.Timeout(connect=3.0, read=5.0)
HEADING = (
    "# An attached system (docs/attach.md). No secret stands here: name environment variables or files instead.\n\n"
)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to be known: its place in the file (table.key), its words, and what is taken where nothing is answered."""

    place: str
    words: str
    default: str | None = None

    @property
    def flag(self) -> str:
        """The option that answers it."""
        return "--" + self.place.replace(".", "-").replace("_", "-")


QUESTIONS = (
    Question("name", "What is the system called"),
    Question("workload", "Which TOML file describes the application (docs/workload.md)", "workload.toml"),
    Question("service.url", "At which URL do users reach it"),
    Question("service.dns", "Which name server (HOST:PORT) resolves its name; empty: this machine's own", ""),
    Question("primary.name", "What is the site called that serves in normal operation", "primary"),
    Question("primary.url", "At which URL does that site answer past DNS"),
    Question("standby.name", "What is the other site called", "standby"),
    Question("standby.url", "At which URL does the other site answer past DNS"),
    Question("rate_cap", "How many requests a second may be sent at most", "20"),
    Question("break.command", "Which command breaks the primary; empty: a person does it", ""),
    Question("heal.command", "Which command heals it; empty: a person does it", ""),
    Question("failover.command", "Which command makes the standby serve; empty: that happens by itself", ""),
    Question("failback", "Afterwards: automatic, left, or a command that gives the primary its role back", "automatic"),
)


def add_flags(add: Callable[..., Any]) -> None:
    """Every answer as an option."""
    for question in QUESTIONS:
        add(question.flag, dest=question.place, default=None, help=question.words)


def answers(given: Mapping[str, Any], ask: Callable[[str], str] | None) -> dict[str, str]:
    """By place; what was not given is asked (`ask` None: it is missing). Raises UnusableInput."""
    found: dict[str, str] = {}
    for question in QUESTIONS:
        said = given.get(question.place)
        if said is None and ask is not None:
            hint = f" [{question.default}]" if question.default else ""
            said = ask(f"{question.words}{hint}? ").strip() or question.default
        if said is None:
            said = question.default
        if said is None:
            raise UnusableInput(f"{question.flag} is missing: {question.words[0].lower()}{question.words[1:]}")
        found[question.place] = str(said)
    return found


def write(path: Path, answered: Mapping[str, str]) -> Description:
    """Write the description and read it again; raises UnusableInput, and then leaves no file."""
    whole = HEADING + tomli_w.dumps(_tables(answered))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(whole)
    except FileExistsError as e:
        raise UnusableInput(f"{path} is there already: give another --topology, or move it away") from e
    except OSError as e:
        raise UnusableInput(f"{path} cannot be written ({e.strerror}): give another --topology") from e
    try:
        return Description.read(path)
    except UnusableInput:
        path.unlink()
        raise


def reached(described: Description, beside: Path) -> Iterator[tuple[bool, str]]:
    """A sentence for each way in, once it was tried, and whether it is as described; raises UnusableInput where the
    application's own file is none."""
    contract = read_contract(beside / described.workload)
    regions = regions_by_address(described)
    if is_name(described.service.url):
        yield _name(described, regions)
    for site in described.sites:
        fits, said = _health(site.url, site.headers, contract)
        yield fits, f"{site.name}: {said}"


def _tables(answered: Mapping[str, str]) -> dict[str, Any]:
    a = answered
    tables: dict[str, Any] = {"name": a["name"], "workload": a["workload"]}
    try:
        tables["rate_cap"] = float(a["rate_cap"])
    except ValueError:
        tables["rate_cap"] = a["rate_cap"]  # the description says what is wrong
    tables["rate"] = min(10.0, tables["rate_cap"] / 2) if isinstance(tables["rate_cap"], float) else 10.0
    tables["service"] = {"url": a["service.url"], **({"dns": a["service.dns"]} if a["service.dns"] else {})}
    for site in ("primary", "standby"):
        tables[site] = {"name": a[f"{site}.name"], "url": a[f"{site}.url"]}
    primary = a["primary.name"]
    tables["break"] = _way(a["break.command"], f"Make the site {primary} stop serving")
    tables["heal"] = _way(a["heal.command"], f"Let the site {primary} serve again")
    if a["failover.command"]:
        tables["failover"] = {"command": a["failover.command"]}
    back = a["failback"]
    tables["failback"] = back if back in ("automatic", "left") else {"command": back}
    return {k: tables[k] for k in sorted(tables, key=lambda k: isinstance(tables[k], dict))}


def _way(command: str, otherwise: str) -> dict[str, Any]:
    return {"command": command} if command else {"operator": otherwise}


def _name(described: Description, regions: Mapping[str, str]) -> tuple[bool, str]:
    name = urllib3.util.parse_url(described.service.url).host or ""
    try:
        host, port = described.service.name_server or (str(dns.resolver.get_default_resolver().nameservers[0]), 53)
        asked = dns.message.make_query(name, dns.rdatatype.A)
        answer = dns.query.udp_with_fallback(asked, host, timeout=3.0, port=port)[0]
    except (dns.exception.DNSException, OSError, socket.gaierror) as e:
        return False, f"{name}: the name server does not answer ({type(e).__name__})"
    addresses = sorted(str(r.address) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for r in rrset)
    if not addresses:
        return False, f"{name}: the name server knows no address"
    led = sorted({regions.get(address, "no site that is described") for address in addresses})
    return led == [described.primary.name], f"{name}: {', '.join(addresses)}, which is {', '.join(led)}"


def _health(url: str, headers: Mapping[str, str], contract: Contract) -> tuple[bool, str]:
    page = contract.health.path if contract.health is not None else "/"
    secrets = {h: os.environ[v] for h, v in contract.secret_headers.items() if v in os.environ}
    try:
        answer = urllib3.request(
            "GET",
            url.rstrip("/") + page,
            headers={**contract.headers, **secrets, **headers},
            timeout=LIMIT,
            retries=False,
        )
    except urllib3.exceptions.HTTPError as e:
        return False, f"{url}{page} does not answer ({type(e).__name__})"
    fit = contract.health is None or answer.status in contract.health.expect
    return fit, f"{url}{page} answers {answer.status}" + ("" if fit else ", which is not what the workload expects")
