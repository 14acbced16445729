"""What a run stood on and what it did not prove: said by every report, derived from the record, never left out."""

from __future__ import annotations

from reports.record import Run

LEVELS = {
    "REAL": "the thing itself",
    "EMULATOR": "another's emulator of it",
    "MODEL": "our own model of it",
}


def fidelity(run: Run) -> list[tuple[str, str, str]]:
    """(component, level, note) for each component; run.json says `"aurora": "MODEL"` or `"MODEL: what it is made of"`."""
    said = run.facts.get("fidelity")
    found: list[tuple[str, str, str]] = []
    for component, words in (said if isinstance(said, dict) else {}).items():
        level, _, note = str(words).partition(":")
        level = level.strip().upper()
        found.append((str(component), level if level in LEVELS else "UNKNOWN", note.strip()))
    return sorted(found)


def fidelity_statement(run: Run) -> str:
    """One sentence: which components were REAL, which an EMULATOR, which a MODEL."""
    groups: dict[str, list[str]] = {}
    for component, level, _ in fidelity(run):
        groups.setdefault(level, []).append(component)
    if not groups:
        return "The record does not say what the components were: take none of them for real."
    order = ("REAL", "EMULATOR", "MODEL", "UNKNOWN")
    return "; ".join(f"{level}: {', '.join(groups[level])}" for level in order if level in groups) + "."


def not_proven(run: Run) -> list[str]:
    """What a reader must not conclude from this run, one sentence each."""
    said = run.facts.get("not_proven")
    found = [_sentence(str(x)) for x in said] if isinstance(said, list) and said else _derived(run)
    unproven = [s.identifier for s in run.scenarios if s.verdict == "UNPROVEN" and s.counts_as != "MET"]
    if unproven:
        found.append(f"Anything of {_and(unproven)}: the evidence does not suffice for a verdict.")
    found += [f"More of {r.scenario} than this: {r.shown}." for r in run.repeated]
    found.append("Any failure other than the ones injected, and any load other than the one driven.")
    return found


def judged_by(run: Run) -> list[str]:
    """What the scenarios were held to, a sentence for each objectives file and set of limits, naming whom where they differ."""
    named: dict[str, list[str]] = {}
    for scenario in run.scenarios:
        if scenario.judged_by and scenario.name not in named.setdefault(scenario.judged_by, []):
            named[scenario.judged_by].append(scenario.name)
    if len(named) < 2:
        return list(named)
    return [f"{sentence.rstrip('.')} ({_and(names)})." for sentence, names in sorted(named.items())]


def _derived(run: Run) -> list[str]:
    """What follows from pace, fidelity and target alone, where the target has not said it in its own words."""
    found: list[str] = []
    if run.pace != 1:
        found.append(
            f"Recovery times at AWS's own timers: some ran {run.pace:g} times faster, and the record does not say which."
        )
    kinds = fidelity(run)
    for level in ("MODEL", "EMULATOR", "UNKNOWN"):
        names = [f"{c} ({n})" if n else c for c, found_level, n in kinds if found_level == level]
        if names:
            what = LEVELS.get(level, "something the record does not name")
            found.append(f"How AWS's own {_and(names)} would have behaved: here it was {what}.")
    if not kinds:
        found.append("How AWS's own components would have behaved: the record does not say what stood in their place.")
    if run.target != "aws" and run.target != "attach":
        found.append("That the deployed system is configured as this topology is: it was built by the harness itself.")
    return found


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
