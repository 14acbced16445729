"""The manifest: every change to a run is found and named, by us and by the system's own tools."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drill.unusable import UnusableInput
from reports.manifest import MANIFEST, PUBLIC_KEY, SIGNATURE, verify, write
from tests.reports.outage import GAMEDAY, write_run

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A signed run of two scenarios, with a name that needs escaping, an empty file and an empty directory."""
    run = write_run(tmp_path / "run", GAMEDAY[:2])
    (run / "allure-results").mkdir()
    (run / "allure-results" / "odd\nname \\ é.txt").write_text("x")
    (run / "empty").write_bytes(b"")
    (run / "hollow").mkdir()
    write(run, KEY)
    return run


def test_what_was_signed_verifies_here_and_with_the_system_s_tools(signed: Path) -> None:
    """sha256sum and openssl, which know nothing of us, come to the same."""
    assert verify(signed) == []
    assert verify(signed, KEY.public_key()) == []
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "--strict", "--quiet", MANIFEST], cwd=signed, check=True)
    if shutil.which("openssl"):
        words = f"pkeyutl -verify -pubin -inkey {PUBLIC_KEY} -rawin -in {MANIFEST} -sigfile {SIGNATURE}"
        done = subprocess.run(["openssl", *words.split()], cwd=signed, capture_output=True, text=True, check=False)
        assert "Verified Successfully" in done.stdout or "rawin" in done.stderr  # an openssl too old for Ed25519
    listed = [line.rpartition("  ")[2] for line in (signed / MANIFEST).read_text().splitlines()]
    assert listed == sorted(listed)


def test_each_of_200_random_mutations_is_found_and_named(signed: Path) -> None:
    """One bit flipped, one file cut, emptied, added, removed, renamed, swapped or linked, anywhere: never unnoticed."""
    rng = random.Random(20261124)
    good = signed.parent / "good"
    shutil.copytree(signed, good)
    kinds: dict[str, Callable[[Path, random.Random], list[str]]] = {
        "flip": _flip, "cut": _cut, "grow": _grow, "add": _add, "remove": _remove, "rename": _rename, "link": _link,
        "swap": _swap,
    }  # fmt: skip
    seen = set()
    for _ in range(200):
        kind = rng.choice(sorted(kinds))
        named = kinds[kind](signed, rng)
        problems = verify(signed)
        for name in named:
            shown = name.replace("\n", "\\n")
            assert any(p.startswith((f"{shown}: ", SIGNATURE)) for p in problems), (kind, name, problems)
            # A change of what the signature is made of is told by it, of any other file by its own name.
            assert shown in {MANIFEST, SIGNATURE} or any(p.startswith(f"{shown}: ") for p in problems), (kind, problems)
        seen.add(kind)
        shutil.rmtree(signed)
        shutil.copytree(good, signed)
    assert seen == set(kinds)
    assert verify(signed) == []


def test_a_forged_manifest_is_found_by_its_signature(signed: Path) -> None:
    """Changing a file and its line in the manifest, or signing it all anew with another key, is not enough."""
    (signed / "empty").write_bytes(b"1")
    line = subprocess.run(["sha256sum", "empty"], cwd=signed, capture_output=True, check=True).stdout
    lines = (signed / MANIFEST).read_bytes().splitlines(keepends=True)
    (signed / MANIFEST).write_bytes(b"".join(line if x.endswith(b"  empty\n") else x for x in lines))
    assert [p.partition(":")[0] for p in verify(signed)] == [SIGNATURE]
    write(signed, OTHER)
    assert verify(signed) == [], "self-consistent: only a trusted key can tell"
    assert [p.partition(":")[0] for p in verify(signed, KEY.public_key())] == [SIGNATURE]


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, PUBLIC_KEY])
def test_without_one_of_the_three_nothing_verifies(signed: Path, name: str) -> None:
    """The absence of manifest, signature or key is itself a named problem."""
    (signed / name).unlink()
    assert any(name in p for p in verify(signed))


def test_a_pipe_is_named_and_never_read(signed: Path) -> None:
    """What is no plain file is not opened: a pipe would hang the check for ever."""
    os.mkfifo(signed / "pipe")
    assert verify(signed) == ["pipe: added, the manifest does not know it"]
    with pytest.raises(UnusableInput, match="pipe"):
        write(signed, KEY)
    (signed / "pipe").unlink()
    (signed / "empty").unlink()
    os.mkfifo(signed / "empty")
    assert verify(signed) == ["empty: replaced by something that is not a plain file"]


def test_a_line_that_is_no_line_and_a_line_told_twice_are_named(signed: Path) -> None:
    """A manifest somebody edited says which line is wrong."""
    path = signed / MANIFEST
    path.write_bytes(path.read_bytes() + b"nonsense\n" + path.read_bytes().splitlines()[-1] + b"\n")
    problems = " ".join(verify(signed))
    assert "is not of sha256sum's format" in problems
    assert "again" in problems


def _files(run: Path) -> list[Path]:
    return sorted(p for p in run.rglob("*") if p.is_file())


def _name(run: Path, path: Path) -> str:
    return path.relative_to(run).as_posix()


def _pick(run: Path, rng: random.Random, *, full: bool = False) -> Path:
    return rng.choice([p for p in _files(run) if not full or p.stat().st_size])


def _flip(run: Path, rng: random.Random) -> list[str]:
    path = _pick(run, rng, full=True)
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return [_name(run, path)]


def _cut(run: Path, rng: random.Random) -> list[str]:
    path = _pick(run, rng, full=True)
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])
    return [_name(run, path)]


def _grow(run: Path, rng: random.Random) -> list[str]:
    path = _pick(run, rng)
    path.write_bytes(path.read_bytes() + b"\n")
    return [_name(run, path)]


def _add(run: Path, rng: random.Random) -> list[str]:
    folder = rng.choice([run, *(p for p in run.rglob("*") if p.is_dir())])
    path = folder / f"added-{rng.randrange(10**6)}"
    path.write_bytes(rng.randbytes(rng.randrange(3)))
    return [_name(run, path)]


def _remove(run: Path, rng: random.Random) -> list[str]:
    path = _pick(run, rng)
    path.unlink()
    return [_name(run, path)]


def _rename(run: Path, rng: random.Random) -> list[str]:
    path = _pick(run, rng)
    new = path.with_name(path.name + "~")
    path.rename(new)
    return [_name(run, path), _name(run, new)]


def _link(run: Path, rng: random.Random) -> list[str]:
    """The same content, but held outside of the run, where it may change unseen."""
    path = _pick(run, rng)
    outside = run.parent / f"outside-{rng.randrange(10**9)}"
    path.rename(outside)
    path.symlink_to(outside)
    return [_name(run, path)]


def _swap(run: Path, rng: random.Random) -> list[str]:
    one, other = rng.sample(_files(run), 2)
    while one.read_bytes() == other.read_bytes():
        one, other = rng.sample(_files(run), 2)
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    return [_name(run, one), _name(run, other)]
