"""Every report of a run from its records: pictures, summary.md, report.pdf, allure-report where it can be, manifest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reports import manifest
from reports.allure_html import build_html
from reports.pdf import write_pdf
from reports.pictures import draw
from reports.record import Run, load_run
from reports.summary import write_summary

REBUILT = re.compile(
    r"(summary\.md|report\.pdf|signing-key\.pub|allure-report/.*|scenarios/[^/]+/(timeline|waterfall)\.(png|svg)): "
)


@dataclass(frozen=True, slots=True)
class Built:
    """What was built, and what could not be, a sentence each."""

    run: Run
    notes: tuple[str, ...]


class Tampered(Exception):
    """The records differ from the manifest that vouches for them, so they must not be signed again unseen."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def build(directory: Path, key: Ed25519PrivateKey, *, resign: bool = False) -> Built:
    """Build every report and sign the whole anew.

    A run that was signed before must still be what was signed, but for what is built here: else Tampered is raised and
    nothing is written, for a new signature would hide the change. `resign` signs it nevertheless.
    """
    run = load_run(directory)
    if (directory / manifest.MANIFEST).exists() and not resign:
        problems = [p for p in manifest.verify(directory) if not REBUILT.match(p)]
        if problems:
            raise Tampered(problems)
    for scenario in run.scenarios:
        draw(scenario, run)
    write_summary(run)
    write_pdf(run)
    told = build_html(run)
    manifest.write(directory, key)
    return Built(run, (told,) if told else ())
