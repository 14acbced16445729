"""Every report of a run from its records: pictures, summary.md, report.pdf, allure-report where it can be, manifest."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drill.plain_file import is_directory, read_bytes
from drill.unusable import UnusableInput
from reports import manifest
from reports.allure import write_properties
from reports.allure_html import build_html
from reports.pdf import write_pdf
from reports.pictures import draw
from reports.record import Run, load_run
from reports.rejudged import rejudge
from reports.resigned import Resigned, add_resigned, load_resigned
from reports.signature import fingerprint, public_key
from reports.summary import write_summary

REBUILT = re.compile(
    r"(summary\.md|report\.pdf|signing-key\.pub|allure-report/.*|allure-results/environment\.properties"
    r"|scenarios/[^/]+/(timeline|waterfall)\.(png|svg)): "
)
SIGNED = (manifest.MANIFEST, manifest.SIGNATURE, manifest.PUBLIC_KEY)
REPORTED = ("summary.md", "report.pdf")
"""A run that has these was signed with them: without any signature it is one whose signature was taken away."""
VERDICTS_DIFFER = (
    "the verdicts are not what the raw records show: nothing was built (restore the records, or judge them again with "
    "`python -m drill judge --json`)"
)
FILES_DIFFER = "the records are not what was signed: nothing was built (--resign signs them as they are now)"


@dataclass(frozen=True, slots=True)
class Built:
    """What was built, and what could not be, a sentence each."""

    run: Run
    notes: tuple[str, ...]


class Tampered(Exception):
    """The run says otherwise than its raw records, or differs from the manifest that vouches for it.

    `problems`: a sentence for each difference; `advice`: what may be done.
    """

    def __init__(self, problems: list[str], advice: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.advice = advice


def build(directory: Path, key: Ed25519PrivateKey, *, signer: str = "", resign: bool = False) -> Built:
    """Build every report from the raw records, judged again, and sign the whole anew as `signer`.

    Raises Tampered and writes nothing where verdicts say otherwise than the records, which no signature mends; and where
    a run that was signed before is no longer what was signed, but for what is built here: a new signature would hide the
    change. `resign` signs that nevertheless. Whatever signature is replaced by another's, or by `resign`, is put down in
    RESIGNED.json.
    """
    checked = rejudge(load_run(directory))
    signed_before = any(os.path.lexists(directory / name) for name in (*SIGNED, *REPORTED))
    changed = manifest.in_brief(manifest.verify(directory)) if signed_before else []
    changed = [p for p in changed if not REBUILT.match(p)]
    if checked.differences:
        raise Tampered([*checked.judged_by, *changed, *checked.differences], VERDICTS_DIFFER)
    if changed and not resign:
        raise Tampered(changed, FILES_DIFFER)
    before = _signed_by(directory)
    if signed_before and (resign or before != fingerprint(key)):
        differed = tuple(p.partition(": ")[0] for p in changed)
        replaced = Resigned.now(directory / manifest.MANIFEST, before or "nobody known", fingerprint(key), differed)
        add_resigned(directory, replaced)
    run = replace(checked.run, signer=signer or fingerprint(key), resigned=load_resigned(directory))
    for scenario in run.scenarios:
        if is_directory(scenario.directory):
            draw(scenario, run)
    write_summary(run)
    write_pdf(run)
    if is_directory(directory / "allure-results"):
        write_properties(run, directory / "allure-results")
    told = build_html(run)
    manifest.write(directory, key)
    return Built(run, (*checked.judged_by, *checked.notes, *([told] if told else [])))


def _signed_by(directory: Path) -> str:
    """The fingerprint of the key beside the manifest; empty where there is none that can be read."""
    try:
        content = read_bytes(directory / manifest.PUBLIC_KEY)
        return fingerprint(public_key(content, manifest.PUBLIC_KEY)) if content else ""
    except UnusableInput:
        return ""
