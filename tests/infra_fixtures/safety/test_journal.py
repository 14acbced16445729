"""The undo journal survives whatever happens to the run that writes it."""

from __future__ import annotations

from pathlib import Path

from infra_fixtures.safety.journal import AwsCall, Begun, Journal, PowerCall, open_entries, unfinished

UNDO = (
    PowerCall("restore_region", ("us-east-1",)),
    AwsCall("lambda", "us-east-1", "delete_function_concurrency", {"FunctionName": "orders"}),
)


def test_a_begun_fault_is_open_until_healed(tmp_path: Path) -> None:
    """What is begun is open with its undo intact; what is healed is not."""
    journal = Journal(tmp_path)
    first = journal.begin("region_lost", UNDO)
    second = journal.begin("replication_cut", UNDO[:1])
    assert journal.open_entries() == [Begun(second, "replication_cut", UNDO[:1]), Begun(first, "region_lost", UNDO)]
    journal.healed(second)
    assert [b.entry for b in open_entries(journal.path)] == [first]
    journal.healed(first)
    assert journal.open_entries() == []
    journal.close()


def test_entry_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    """A second journal on the same file does not reuse an entry's number, so that healing cannot hit the wrong one."""
    journal = Journal(tmp_path)
    first = journal.begin("a", UNDO)
    journal.close()
    again = Journal(tmp_path)
    assert again.begin("b", UNDO) > first
    again.close()


def test_only_what_nobody_holds_is_unfinished(tmp_path: Path) -> None:
    """A live run's open faults are its own business; once it is dead they are everybody's."""
    journal = Journal(tmp_path / "run-1")
    journal.begin("region_lost", UNDO)
    assert list(unfinished(tmp_path)) == []
    journal.close()
    assert list(unfinished(tmp_path)) == [tmp_path / "run-1" / "journal.jsonl"]


def test_a_torn_last_line_is_not_an_entry(tmp_path: Path) -> None:
    """A crash in the middle of a write left a fault that was never injected; the whole lines before it count."""
    journal = Journal(tmp_path)
    journal.begin("region_lost", UNDO)
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'{"type":"begun","entry":2,"fau')
    assert [b.fault for b in open_entries(journal.path)] == ["region_lost"]
