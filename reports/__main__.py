"""`python -m reports build|verify|trend DIR`: reports from records, the manifest's check, figures over all runs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from drill.host_environment import settle
from drill.output import plain, speak_utf8
from drill.plain_file import read_bytes
from drill.unusable import UnusableInput
from reports.allure_html import Allure, Gate, NotMade
from reports.build import Tampered, build
from reports.manifest import PUBLIC_KEY, in_brief, verify
from reports.record import Run, load_run, load_runs
from reports.rejudged import rejudge
from reports.signature import fingerprint, public_key, signer, signing_key
from reports.table import print_verdicts
from reports.trend import series_of, trend_table


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 a difference or a regression was found, 2 unusable input (one sentence on stderr)."""
    settle(os.environ)
    speak_utf8()
    parsed = _parser().parse_args(argv)
    try:
        return int(parsed.command(parsed))
    except UnusableInput as e:
        print(plain(" ".join(str(e).split())), file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read the output has had enough of it.
        sys.stderr.close()
        return 0


def _build(parsed: argparse.Namespace) -> int:
    key = signing_key(parsed.key)
    try:
        built = build(parsed.dir, key, signer=signer(key, parsed.key), resign=parsed.resign)
    except Tampered as e:
        for problem in e.problems:
            print(plain(problem))
        print(e.advice, file=sys.stderr)
        return 1
    print_verdicts(built.run, Console())
    for note in built.notes:
        print(plain(note))
    print(f"built in {plain(parsed.dir)}, signed by {fingerprint(key)}")
    return _gate(built.run) if parsed.gate else 0


def _gate(run: Run) -> int:
    """A gate that could not be asked lets nobody pass."""
    try:
        gate = Allure.installed().gate(run)
    except NotMade as e:
        gate = Gate(None, f"Allure's quality gate was not asked: {e}")
    print(gate.said, file=sys.stdout if gate.passed else sys.stderr)
    return 0 if gate.passed else 1


def _verify(parsed: argparse.Namespace) -> int:
    trusted = None
    if parsed.public_key is not None:
        content = read_bytes(parsed.public_key)
        if content is None:
            raise UnusableInput(f"there is no public key {parsed.public_key}: give an Ed25519 public key in PEM")
        trusted = public_key(content, str(parsed.public_key))
    problems = in_brief(verify(parsed.dir, trusted))
    try:
        checked = rejudge(load_run(parsed.dir))
    except UnusableInput as e:
        problems.append(" ".join(str(e).split()))
    else:
        problems += checked.differences
        for told in (*checked.judged_by, *checked.notes, *(r.sentence() for r in checked.run.resigned)):
            print(plain(told))
    for problem in problems:
        print(plain(problem))
    if problems:
        print(
            f"{len(problems)} difference(s): {parsed.dir} is not what was signed, or not what its records show",
            file=sys.stderr,
        )
        return 1
    key = trusted or public_key((parsed.dir / PUBLIC_KEY).read_bytes(), PUBLIC_KEY)
    whose = "the given key" if trusted else "the key in the run; give --public-key to know whose it is"
    print(
        f"{plain(parsed.dir)}: every verdict is what the raw records show, every file is as signed by {fingerprint(key)} "
        f"({whose})"
    )
    return 0


def _trend(parsed: argparse.Namespace) -> int:
    # Drawing takes a second to load; the other commands need not wait for it.
    from reports.charts.over_runs import trend

    series = series_of(load_runs(parsed.dir))
    if not series:
        raise UnusableInput(f"{parsed.dir} holds no judged run: give the directory that holds the runs (reports/runs)")
    console = Console()
    console.print(trend_table(series), highlight=False)
    try:
        picture, _ = trend(series, parsed.picture or parsed.dir / "trend")
    except OSError as e:
        raise UnusableInput(f"the picture cannot be written ({e}): give --picture a path you may write") from e
    regressions = [r for s in series for r in s.regressions]
    for sentence in regressions:
        console.print(f"regressed  {sentence}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"picture: {picture}", highlight=False, soft_wrap=True)
    return 1 if regressions else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="build|verify|trend")
    one = commands.add_parser(
        "build", help="pictures, summary.md, report.pdf, allure-report and a signed manifest, from a run's records"
    )
    one.add_argument("dir", type=Path, metavar="DIR", help="a run, such as reports/runs/latest")
    one.add_argument("--key", type=Path, help="Ed25519 private key (PEM); else DRILL_SIGNING_KEY(_FILE), else your own")
    one.add_argument("--resign", action="store_true", help="sign records that differ from the manifest there is")
    one.add_argument("--gate", action="store_true", help="also ask Allure's quality gate; 1 where it does not pass")
    one.set_defaults(command=_build)
    one = commands.add_parser(
        "verify",
        help="judge the records again and name every verdict that differs, and every file changed since signing",
    )
    one.add_argument("dir", type=Path, metavar="DIR", help="a run, such as reports/runs/latest")
    one.add_argument("--public-key", type=Path, help="the key (PEM) the signature must be of")
    one.set_defaults(command=_verify)
    one = commands.add_parser("trend", help="RTO, RPO and lag of every scenario over all runs; 1 where one regressed")
    one.add_argument("dir", type=Path, metavar="DIR", help="the directory that holds the runs, such as reports/runs")
    one.add_argument("--picture", type=Path, help="where trend.png and .svg go (default DIR/trend.png)")
    one.set_defaults(command=_trend)
    return parser


if __name__ == "__main__":
    sys.exit(main())
