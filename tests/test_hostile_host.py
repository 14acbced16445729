"""Whatever the host's environment says, the commands do the same; and a whole drill stands, breaks and heals under it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drill import host_environment
from infra_fixtures.run_layout import REPOSITORY
from tests.scenarios.conftest import PATIENT

GOLDEN = REPOSITORY / "tests" / "drill" / "golden" / "database_primary_lost"
LIMIT_S = 600.0
"""A drill takes less than a minute; another drill may have the machine before it."""
NOWHERE = "http://127.0.0.1:9"
HOSTILE: Mapping[str, Mapping[str, str]] = {
    "proxies": {
        name: NOWHERE
        for word in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        for name in (word, word.lower(), word.title())
    },
    "no_proxy": {"NO_PROXY": "example.com", "no_proxy": ""},
    "AWS": {
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": NOWHERE,
        "AWS_ENDPOINT_URL_S3": NOWHERE,
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_CONFIG_FILE": "/dev/full",
        "AWS_CA_BUNDLE": "/nowhere",
        "AWS_DEFAULT_REGION": "mars-1",
        "AWS_RETRY_MODE": "nonsense",
    },
    "git": {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere", "GIT_INDEX_FILE": "/nowhere"},
    "pytest": {"PYTEST_ADDOPTS": "-k nothing_of_the_kind -p no:timeout -x", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    "home missing": {"HOME": "/nonexistent/home", "XDG_CONFIG_HOME": ""},
    "home unwritable": {"HOME": "/proc/1", "XDG_CACHE_HOME": "/proc/1", "XDG_CONFIG_HOME": "/proc/1"},
    "colour": {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TERM": "xterm-256color", "PY_COLORS": "1"},
    "no colour": {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "20"},
    "locale C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "locale tr": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.ISO-8859-9", "LANGUAGE": "tr", "TZ": "Asia/Kathmandu"},
    "encoding": {"PYTHONIOENCODING": "ascii"},
    "python": {
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "PYTHONHASHSEED": "7",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSTARTUP": "/nowhere",
        "PYTHONASYNCIODEBUG": "1",
    },
    "tools": {
        "MPLBACKEND": "nonsense",
        "MATPLOTLIBRC": "/nowhere",
        "PGHOST": "mars",
        "PGSSLMODE": "verify-full",
        "PGOPTIONS": "-c search_path=mars",
        "LOCUST_RUN_TIME": "1s",
        "NODE_OPTIONS": "--nonsense",
    },
}
EVERYTHING = {name: value for one in HOSTILE.values() for name, value in one.items()}
SCENARIOS = len(list((REPOSITORY / "scenarios").glob("test_*.py")))


def run(
    *words: str, environment: Mapping[str, str], umask: int = 0o022, timeout_s: float = 110.0
) -> subprocess.CompletedProcess[bytes]:
    """`python -m` with these words, under these variables and no other switches of whoever runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DRILL_"))}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=REPOSITORY,
        env=own | dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
        umask=umask,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*HOSTILE, "everything at once"])
def test_commands_do_the_same(kind: str, tmp_path: Path) -> None:
    """All scenarios are collected, a bundle is judged as ever, what stands is told: under each kind, and under all."""
    environment = HOSTILE.get(kind, EVERYTHING)
    with ThreadPoolExecutor(3) as pool:
        collected = pool.submit(
            run, "pytest", "scenarios", "--collect-only", "-q", "--runs-dir", str(tmp_path), environment=environment
        )
        judged = pool.submit(run, "drill", "judge", str(GOLDEN), "--json", environment=environment)
        status = pool.submit(run, "infra_fixtures", "status", "--runs-dir", str(tmp_path), environment=environment)
        verified = pool.submit(run, "reports", "verify", str(tmp_path / "none"), environment=environment)
    assert f"{SCENARIOS} tests collected" in collected.result().stdout.decode(), collected.result().stdout
    assert collected.result().returncode == 0
    kept, found = json.loads((GOLDEN / "verdict.json").read_text()), json.loads(judged.result().stdout)
    assert found["measurements"] == kept["measurements"]
    assert (judged.result().returncode, judged.result().stderr) == (0, b"")
    assert (verified.result().returncode, len(verified.result().stderr.splitlines())) == (2, 1), "no run, in one line"
    assert (status.result().returncode, status.result().stdout) == (0, b"nothing is held up\n")


def test_no_command_makes_a_home_that_is_not_there(tmp_path: Path) -> None:
    """Not even as root, who may: matplotlib would keep its fonts' index there. Nothing of it is left elsewhere either."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {"HOME": str(tmp_path / "none" / "home"), "TMPDIR": str(scratch)}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        environment[name] = ""
    imported = run("scenarios", "faults", environment=environment)
    assert imported.returncode == 0, imported.stderr
    assert (list(tmp_path.iterdir()), list(scratch.iterdir())) == ([scratch], [])


def test_pytests_plugins_are_nothing_to_the_commands(tmp_path: Path) -> None:
    """PYTEST_PLUGINS names one that is not there: pytest itself says so and plays nothing, everything else takes no notice."""
    environment = {"PYTEST_PLUGINS": "nosuch"}
    for words in (("scenarios", "faults"), ("infra_fixtures", "status", "--runs-dir", str(tmp_path))):
        done = run(*words, environment=environment)
        assert (done.returncode, done.stderr) == (0, b""), words
    plain = run("pytest", "scenarios", "--collect-only", "--runs-dir", str(tmp_path), environment=environment)
    assert plain.returncode != 0
    assert b"nosuch" in plain.stderr + plain.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_child_is_given_nothing_of_the_hosts() -> None:
    """Of everything at once only the words that say where a process may write are kept; what is told expressly goes before."""
    child = host_environment.child_environment({**EVERYTHING, "PATH": "/bin"}, DRILL_RUN_ID="1", PYTHONUTF8="0")
    kept = {name for name in EVERYTHING if child.get(name) == EVERYTHING[name]}
    assert kept == {"PYTHONDONTWRITEBYTECODE", "PYTHONUTF8"}
    assert child["PYTHONUTF8"] == "0"
    assert (child["PATH"], child["DRILL_RUN_ID"]) == ("/bin", "1")


def test_the_harness_keeps_what_is_its_users() -> None:
    """The terminal's settings, the signing key and the way to AWS stay until all is known to stand on this machine."""
    own = {**EVERYTHING, "DRILL_SIGNER": "us", "SSH_AUTH_SOCK": "/x"}
    host_environment.settle(own)
    assert {"DRILL_SIGNER", "SSH_AUTH_SOCK", "HOME", "FORCE_COLOR", "TERM", "AWS_PROFILE", "https_proxy"} <= own.keys()
    assert not {"GIT_DIR", "PGHOST", "MPLBACKEND", "PYTEST_ADDOPTS", "PYTHONOPTIMIZE", "LANG"} & own.keys()
    host_environment.keep_to_this_machine(own)
    assert {"AWS_CONFIG_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}.items() <= own.items()
    assert not [n for n in own if n.lower().endswith("_proxy") or n in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3")]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_any_letter_of_a_path_is_shown(tmp_path: Path, encoding: str) -> None:
    """What the commands say is UTF-8, and a byte that is no text is shown as an escape."""
    bundle = Path(os.fsdecode(os.fsencode(tmp_path / "ß ☃ ") + b"\xff"))
    shutil.copytree(GOLDEN, bundle)
    for words in (("drill", "judge", str(bundle)), ("reports", "verify", str(bundle / "none"))):
        done = run(*words, environment={"PYTHONIOENCODING": encoding})
        assert (done.returncode, b"Traceback" in done.stderr) == (0 if words[0] == "drill" else 2, False), done.stderr
    assert "ß ☃ ".encode() in done.stderr


def test_a_switched_off_plugin_is_named(tmp_path: Path) -> None:
    """What the command line itself takes away from a game day is refused in one line."""
    done = run("pytest", "scenarios", "-p", "no:timeout", "--runs-dir", str(tmp_path), environment={})
    assert done.returncode == 4
    assert [line for line in done.stderr.decode().splitlines() if line.strip()] == [
        "ERROR: a game day needs pytest's plugin timeout, which is switched off: leave -p no: away"
    ]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of brackets, quotes, spaces and umlauts; not among pytest's own, which it keeps closed to PostgreSQL's user."""
    with tempfile.TemporaryDirectory(prefix="drill-hostile-") as home:
        made = Path(home) / "ä [1] 'q' \"r\" $;x *"
        (made / "scratch [t]").mkdir(parents=True)
        for directory in (Path(home), made, made / "scratch [t]"):
            directory.chmod(0o755)
        yield made


@pytest.mark.nightly
@pytest.mark.timeout(LIMIT_S + 120)
@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_a_drill_under_everything_at_once(place: Path, umask: int) -> None:
    """A real drill in such a directory: MET as ever, no colour and no secret in its records, nothing open to be written."""
    runs, objectives, scratch = place / "runs [2]", place / "objectives.toml", place / "scratch [t]"
    objectives.write_text(PATIENT.format(settle_s=3))
    environment = {**EVERYTHING, "TMPDIR": str(scratch)}
    words = ["scenarios", "-k", "database_primary_lost", "--runs-dir", str(runs), "--objectives", str(objectives)]
    done = run("pytest", *words, environment=environment, umask=umask, timeout_s=LIMIT_S)
    said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    (found,) = (runs / "latest" / "scenarios").iterdir()
    verdict = json.loads((found / "verdict.json").read_text())
    too_busy = any("this machine was too busy" in reason for reason in verdict["reasons"])
    assert (done.returncode, verdict["verdict"]) == ((1, "UNPROVEN") if too_busy else (0, "MET")), said[-3000:]
    records = [p for p in (runs / "latest").resolve().rglob("*") if p.is_file()]
    texts = [p for p in records if p.suffix in (".json", ".jsonl", ".xml", ".md", ".log")]
    assert len(texts) > 5
    for path in texts:
        assert b"\x1b[" not in path.read_bytes(), path
        assert b"AKIAREAL" not in path.read_bytes(), path
    assert not [p for p in records if p.stat().st_mode & 0o022]
    assert json.loads((runs / "latest" / "run.json").read_text())["commit"], "git was asked in spite of GIT_DIR"
    for command, status in (("reports verify", 0), ("drill judge", done.returncode), ("reports build", 0)):
        assert run(*command.split(), str(runs / "latest"), environment=environment).returncode == status, command
    assert not list(scratch.iterdir()), "nothing is left where scratch files were"
    if too_busy:
        pytest.skip("all stood and was recorded, but this machine was too busy for a steady state")
