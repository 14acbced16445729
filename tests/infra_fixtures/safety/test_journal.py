"""The undo journal survives whatever happens to the run that writes it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
import pytest

from drill.unusable import UnusableInput
from infra_fixtures.orphan_runs import orphans
from infra_fixtures.safety.journal import (
    JOURNAL,
    Begun,
    Ended,
    Header,
    Journal,
    Learned,
    has_ended,
    header,
    open_entries,
)
from infra_fixtures.safety.undo import (
    AwsCall,
    AwsCallForEach,
    RemoveLinkRule,
    RestoreRegion,
    ReturnToPrimary,
    Undo,
    Unreadable,
)

UNDO: tuple[Undo, ...] = (
    RestoreRegion("us-east-1"),
    AwsCall("lambda", "us-east-1", "delete_function_concurrency", {"FunctionName": "orders"}, ("NotFound",)),
    RemoveLinkRule("replication", "both", "cut"),
    ReturnToPrimary(),
    AwsCallForEach(AwsCall("ec2", None, "describe_vpcs"), "Vpcs[]", AwsCall("ec2", None, "delete_vpc")),
)
HEADER = Header("run-1", "embedded", 10.0, {"localstack_shared": False}, "/tmp")


def test_a_begun_fault_is_open_until_healed(tmp_path: Path) -> None:
    """What is begun is open with its undo intact, every kind of it; what is healed is not."""
    journal = Journal(tmp_path)
    first = journal.begin("region_lost", UNDO)
    second = journal.begin("replication_cut", UNDO[:1])
    assert journal.open_entries() == [Begun(second, "replication_cut", UNDO[:1]), Begun(first, "region_lost", UNDO)]
    journal.healed(second)
    assert [b.entry for b in open_entries(journal.path)] == [first]
    journal.healed(first)
    assert journal.open_entries() == []
    journal.close()


def test_what_is_learnt_on_the_way_is_undone_first(tmp_path: Path) -> None:
    """An id known only after a call: its undo comes before what was known from the start, the last learnt first."""
    journal = Journal(tmp_path)
    entry = journal.begin("fault", UNDO[:1])
    journal.learned(entry, UNDO[1:2])
    journal.learned(entry, UNDO[2:4])
    assert [b.undo for b in open_entries(journal.path)] == [(*UNDO[2:4], UNDO[1], UNDO[0])]
    journal.healed(entry)
    journal.learned(entry, UNDO)
    assert open_entries(journal.path) == [], "a healed fault does not come back"
    journal.close()


def test_entry_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    """A second journal on the same file does not reuse an entry's number, so that healing cannot hit the wrong one."""
    journal = Journal(tmp_path)
    first = journal.begin("a", UNDO)
    journal.close()
    again = Journal(tmp_path)
    assert again.begin("b", UNDO) > first
    again.close()


def test_only_what_nobody_holds_is_an_orphan(tmp_path: Path) -> None:
    """A live run's system is its own business; once the run is dead it is everybody's, until somebody ends it."""
    journal = Journal(tmp_path / "run-1")
    journal.stands_up(HEADER)
    assert list(orphans(tmp_path)) == []
    journal.close()
    assert list(orphans(tmp_path)) == [tmp_path / "run-1" / JOURNAL]
    assert header(tmp_path / "run-1" / JOURNAL) == HEADER
    journal = Journal(tmp_path / "run-1")
    journal.ended("test")
    journal.close()
    assert list(orphans(tmp_path)) == []


def test_a_second_system_of_a_run_is_open_again(tmp_path: Path) -> None:
    """A day of two scenarios stands up two systems in turn; that the first ended says nothing of the second."""
    journal = Journal(tmp_path)
    journal.stands_up(HEADER)
    journal.ended("teardown")
    assert has_ended(journal.path)
    journal.stands_up(HEADER)
    assert not has_ended(journal.path)
    journal.close()


def test_a_torn_last_line_is_not_an_entry(tmp_path: Path) -> None:
    """A crash in the middle of a write left a fault that was never injected; the whole lines before it count."""
    journal = Journal(tmp_path)
    journal.begin("region_lost", UNDO)
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'{"type":"begun","entry":2,"fau')
    assert [b.fault for b in open_entries(journal.path)] == ["region_lost"]


def test_the_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Others need not know how a system is broken."""
    journal = Journal(tmp_path)
    journal.close()
    assert journal.path.stat().st_mode & 0o777 == 0o600


OLD = b'{"type":"begun","entry":1,"fault":"region_lost","undo":[{"type":"power","power":"restore_region"}]}\n'


def test_a_fault_of_another_version_is_open_until_that_version_heals_it(tmp_path: Path) -> None:
    """An undo that this version does not know is no reason to think that nothing is broken."""
    (tmp_path / JOURNAL).write_bytes(OLD)
    [entry] = open_entries(tmp_path / JOURNAL)
    assert (entry.entry, entry.fault) == (1, "region_lost")
    assert isinstance(entry.undo[0], Unreadable)
    assert not has_ended(tmp_path / JOURNAL)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"type":"healed","entry":1,"by":"harness"}\n')
    assert has_ended(tmp_path / JOURNAL)


def test_a_line_that_is_no_journals_is_named(tmp_path: Path) -> None:
    """JSON of another kind was not torn by a crash: file and line are said."""
    (tmp_path / JOURNAL).write_bytes(b'{"type":"header","run_id":7}\n')
    with pytest.raises(UnusableInput, match=r"line 1.*another version"):
        has_ended(tmp_path / JOURNAL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as somebody else")
def test_another_users_journal_is_a_sentence(tmp_path: Path) -> None:
    """Whose it is, and how to mend it."""
    journal = Journal(tmp_path / "run-1")
    journal.stands_up(HEADER)
    journal.close()
    for place in (tmp_path, *tmp_path.parents):
        if (
            place.stat().st_uid == 0
            and place.stat().st_mode & 0o005 != 0o005
            and place.is_relative_to(tempfile.gettempdir())
        ):
            place.chmod(0o755)
    own = os.geteuid()
    os.seteuid(65534)
    try:
        with pytest.raises(UnusableInput, match="belongs to root: run `python -m infra_fixtures heal` as that user"):
            list(orphans(tmp_path))
    finally:
        os.seteuid(own)


def test_an_entry_that_is_there_twice_loses_no_undo(tmp_path: Path) -> None:
    """Neither of two undos of one number is dropped."""
    other = Begun(1, "second", (ReturnToPrimary(),))
    (tmp_path / JOURNAL).write_bytes(msgspec.json.Encoder().encode_lines([Begun(1, "first", UNDO[:1]), other]))
    assert open_entries(tmp_path / JOURNAL) == [Begun(1, "second", (ReturnToPrimary(), UNDO[0]))]


def test_what_was_learnt_for_a_lost_entry_is_open(tmp_path: Path) -> None:
    """A fault that learnt something was acted upon, whatever became of its first line."""
    lines = [Learned(4, UNDO[:1]), Ended("harness")]
    (tmp_path / JOURNAL).write_bytes(msgspec.json.Encoder().encode_lines(lines))
    [entry] = open_entries(tmp_path / JOURNAL)
    assert entry.undo[0] == UNDO[0]
    assert isinstance(entry.undo[1], Unreadable)
    assert not has_ended(tmp_path / JOURNAL)


@pytest.mark.parametrize("raw", [b'{"type":"begun","en', b"\xff\xfe", b"rubbish"])
def test_only_the_last_line_before_healing_can_be_torn(tmp_path: Path, raw: bytes) -> None:
    """In the middle of what a run wrote an unreadable line is a fault that nobody can undo; at its end it is none."""
    path, encode = tmp_path / JOURNAL, msgspec.json.encode
    path.write_bytes(encode(HEADER) + b"\n" + raw)
    journal = Journal(tmp_path)
    journal.ended("watchdog")
    journal.close()
    assert has_ended(path), "whoever heals after a crash writes on a line of its own"
    path.write_bytes(encode(HEADER) + b"\n" + raw + b"\n" + encode(Begun(2, "later", ())) + b"\n")
    assert [e.fault for e in open_entries(path)] == ["later", "line 2, which cannot be read"]


@pytest.mark.parametrize("kind", ["fifo", "directory", "link"])
def test_what_is_no_journal_is_said_at_once(tmp_path: Path, kind: str) -> None:
    """Nobody waits for it, follows it, or takes it for a run that ended."""
    path = tmp_path / "run-1" / JOURNAL
    path.parent.mkdir()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to("/nowhere")
    with pytest.raises(UnusableInput, match="is not a journal"):
        list(orphans(tmp_path))
