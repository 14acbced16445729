"""The undo journal survives whatever happens to the run that writes it."""

from __future__ import annotations

from pathlib import Path

from infra_fixtures.orphan_runs import orphans
from infra_fixtures.safety.journal import JOURNAL, Begun, Header, Journal, has_ended, header, open_entries
from infra_fixtures.safety.undo import AwsCall, AwsCallForEach, RemoveLinkRule, RestoreRegion, ReturnToPrimary, Undo

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


def test_what_is_written_behind_a_torn_line_is_kept(tmp_path: Path) -> None:
    """Whoever heals after such a crash writes on a line of its own, which the torn one does not swallow."""
    with (tmp_path / JOURNAL).open("wb") as file:
        file.write(b'{"type":"begun","entry":2,"fau')
    journal = Journal(tmp_path)
    journal.begin("region_lost", UNDO)
    journal.close()
    assert [b.fault for b in open_entries(journal.path)] == ["region_lost"]


def test_the_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Others need not know how a system is broken."""
    journal = Journal(tmp_path)
    journal.close()
    assert journal.path.stat().st_mode & 0o777 == 0o600
