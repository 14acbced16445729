"""`python -m tests.conformance.fis_templates DIR...`: every FIS experiment template below the directories, on a running model.

Each is either executed, or refused by name: by CreateExperimentTemplate, or by the failure of the experiment, which says why.
An experiment that completes without an action having been done is told apart, and makes the exit status 1. Placeholders
(<YOUR ACCOUNT>) are filled in, roles that a template names are made, and documents of Systems Manager are taken from the
files beside a template, or of a template of that name elsewhere below the directories. A document of YAML is read as such.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml  # type: ignore[import-untyped]
from botocore.exceptions import ClientError, ParamValidationError

from drill.wait import wait_until
from infra_fixtures.internal_api.clients import client
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import planned_layout
from tests.infra_fixtures.control_plane.fis.conftest import role_for
from tests.infra_fixtures.data_plane.running import EAST, GLOBAL, data_plane

PACE = 100.0
LIMIT_S = 900.0
ENDED = {"completed", "stopped", "failed", "cancelled"}
SERVICES = ["fis.amazonaws.com", "ssm.amazonaws.com"]
READY = [{"Key": "FIS-Ready", "Value": "True"}]
ORIGIN = "fis-lane-origin"
_PLACEHOLDER = re.compile(r"<[^<>]{1,60}>")
_FILLED = (
    ("ACCOUNT", ""),
    ("REGION", EAST),
    ("DOCUMENT", "fis-lane-document"),
    ("ROLE", "fis-lane"),
    ("GLOBAL", GLOBAL),
)
_ROLE = re.compile(r"arn:aws:iam::\d+:role/([\w+=,.@/-]+)")
_DOCUMENT = re.compile(r"arn:aws:ssm:[\w-]+:\d+:document/([\w.-]+)")


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a template: `executed`, `refused`, or `nothing`, which no template may come to."""

    template: str
    outcome: str
    why: str


def templates_below(directories: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Every file that is an experiment template, and its text."""
    for directory in directories:
        for path in sorted(directory.rglob("*.json")):
            text = path.read_text()
            said = json.loads(text)
            if isinstance(said, dict) and "actions" in said and "roleArn" in said:
                yield path, text


def documents_below(directories: Iterable[Path]) -> dict[str, list[tuple[Path, str]]]:
    """Every document of Systems Manager, by the directory that it lies in: its file, and its content as JSON."""
    found: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted(p for d in directories for p in d.rglob("*") if p.suffix in (".yaml", ".yml", ".json")):
        said = json.loads(path.read_text()) if path.suffix == ".json" else yaml.safe_load(path.read_text())
        if isinstance(said, dict) and "mainSteps" in said and str(said.get("schemaVersion")) == "0.3":
            found.setdefault(str(path.parent), []).append((path, json.dumps(said, default=str)))
    return found


def filled(text: str, account: str) -> str:
    """A template's text without placeholders."""

    def fill(found: re.Match[str]) -> str:
        word = found[0].upper()
        value = next((v for k, v in _FILLED if k in word), "placeholder")
        return account if "ACCOUNT" in word else value

    return _PLACEHOLDER.sub(fill, text).replace("{{ aws:region }}", EAST)


class Lane:
    """The model that the templates are played on."""

    def __init__(self, layout: RunLayout) -> None:
        self.layout = layout

    def client(self, service: str) -> Any:
        """A client in the primary."""
        return client(self.layout, service, EAST)

    def furnish(self) -> None:
        """What templates of a library look for by its tag: a cluster that can fail over, a distribution with an origin."""
        rds = self.client("rds")
        for name in ("lane-1", "lane-2"):
            rds.create_db_instance(
                DBInstanceIdentifier=name, DBInstanceClass="db.r6g.large", Engine="aurora-postgresql",
                DBClusterIdentifier="east", Tags=READY,
            )  # fmt: skip
        rds.add_tags_to_resource(ResourceName=rds.describe_db_clusters()["DBClusters"][0]["DBClusterArn"], Tags=READY)
        s3 = self.client("s3")
        s3.create_bucket(Bucket=ORIGIN)
        s3.put_object(Bucket=ORIGIN, Key="key", Body=b"body")
        origin = {
            "Id": "own",
            "DomainName": f"{ORIGIN}.s3.{EAST}.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        group = {
            "Id": "group",
            "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [500]}},
            "Members": {"Quantity": 2, "Items": [{"OriginId": "own"}, {"OriginId": "own"}]},
        }
        self.client("cloudfront").create_distribution_with_tags(
            DistributionConfigWithTags={
                "DistributionConfig": {
                    "CallerReference": "lane", "Comment": "", "Enabled": True,
                    "Origins": {"Quantity": 1, "Items": [origin]},
                    "OriginGroups": {"Quantity": 1, "Items": [group]},
                    "DefaultCacheBehavior": {"TargetOriginId": "own", "ViewerProtocolPolicy": "allow-all"},
                },
                "Tags": {"Items": READY},
            }
        )  # fmt: skip

    def play(self, name: str, text: str, documents: Sequence[tuple[Path, str]]) -> Row:
        """Play one template."""
        text = filled(text, self.layout.account_id)
        asked = {k: v for k, v in json.loads(text).items() if v != {} or k in ("targets", "actions")}
        self._make_roles([text, *(content for _, content in documents)])
        self._make_documents(text, documents)
        fis = self.client("fis")
        try:
            made = fis.create_experiment_template(**asked)["experimentTemplate"]["id"]
        except ClientError as e:
            return Row(name, "refused", f"{e.response['Error']['Code']}: {e.response['Error']['Message']}")
        except ParamValidationError as e:
            return Row(name, "refused", f"by botocore: {' '.join(str(e).split())}")
        started = fis.start_experiment(experimentTemplateId=made)["experiment"]["id"]
        wait_until(
            lambda: fis.get_experiment(id=started)["experiment"]["state"]["status"] in ENDED,
            what=name, timeout_s=LIMIT_S, every_s=0.5,
        )  # fmt: skip
        return judged(name, fis.get_experiment(id=started)["experiment"])

    def _make_roles(self, texts: Sequence[str]) -> None:
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sts:AssumeRole"}
        account = self.layout.account_id
        for name in {
            r for text in texts for r in _ROLE.findall(re.sub(r"\{\{ *global:ACCOUNT_ID *\}\}", account, text))
        }:
            try:
                role_for(iam, name, {"Version": "2012-10-17", "Statement": [trust]})
            except iam.exceptions.EntityAlreadyExistsException:
                continue

    def _make_documents(self, text: str, documents: Sequence[tuple[Path, str]]) -> None:
        ssm = self.client("ssm")
        for name in set(_DOCUMENT.findall(text)):
            named = [d for d in documents if d[0].stem.lower() == name.lower()] or list(documents)
            if not named:
                continue
            try:
                ssm.delete_document(Name=name)
            except ClientError as e:
                if e.response["Error"]["Code"] != "InvalidDocument":
                    raise
            ssm.create_document(Name=name, DocumentType="Automation", DocumentFormat="JSON", Content=named[0][1])


def judged(name: str, ended: Mapping[str, Any]) -> Row:
    """What came of an experiment that has ended; one that completed has done nothing unless an action completed, not a wait."""
    state, actions = ended["state"], ended["actions"]
    told = ", ".join(f"{n} {a['state']['status']}" for n, a in actions.items())
    if state["status"] != "completed":
        return Row(name, "refused", state["reason"])
    done = [n for n, a in actions.items() if a["state"]["status"] == "completed" and a["actionId"] != "aws:fis:wait"]
    return Row(name, "executed" if done else "nothing", told)


def main(arguments: Sequence[str]) -> int:
    """Play them all and print a line each; 1 where one did nothing, 2 without a directory."""
    directories = [Path(a) for a in arguments]
    if not directories or not all(d.is_dir() for d in directories):
        sys.stderr.write(
            "usage: python -m tests.conformance.fis_templates DIR...: directories with experiment templates\n"
        )
        return 2
    documents = documents_below(directories)
    rows = []
    with planned_layout() as layout, data_plane(msgspec.structs.replace(layout, pace=PACE)) as running:
        lane = Lane(running.layout)
        lane.furnish()
        homes: dict[str, str] = {}
        for path, _ in templates_below(directories):
            if str(path.parent) in documents:
                homes.setdefault(path.name, str(path.parent))
        for path, text in templates_below(directories):
            beside = documents.get(homes.get(path.name, str(path.parent)), [])
            rows.append(lane.play(path.name, text, beside))
            _say(f"{rows[-1].template}: {rows[-1].outcome}: {rows[-1].why}")
            running.await_ready()
    counts = {outcome: sum(r.outcome == outcome for r in rows) for outcome in ("executed", "refused", "nothing")}
    _say(f"{len(rows)} templates: " + ", ".join(f"{n} {outcome}" for outcome, n in counts.items()))
    return 1 if counts["nothing"] else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
