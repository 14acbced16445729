"""A closed loop hides an outage from its own record: what its waiting clients omitted is counted against it."""

from __future__ import annotations

from drill.evidence import judge
from drill.history import NS, History, Mark, Op, Outcome, Sample
from drill.imported_load import EVENT, ImportedLoad
from drill.measure import measure
from drill.objective import Objectives, Verdict

OBJECTIVES = Objectives(rto_s=3.0, deadline_s=1.0, window_s=1.0, settle_s=2.0)
FAULT_S, END_S = 20.0, 40.0


def history(load: ImportedLoad, clients: int, hung: int, hangs_s: float) -> History:
    """Clients that send every tenth of a second; at the fault the last `hung` of them wait for `hangs_s` and fail."""
    ops: list[Op] = []
    for client in range(clients):
        at_s = client * 0.1 / clients
        while at_s < END_S:
            waits = client >= clients - hung and FAULT_S <= at_s < FAULT_S + 0.1
            took_s = hangs_s if waits else 0.005
            at_ns = round(at_s * NS)
            outcome = Outcome.UNKNOWN if waits else Outcome.OK
            ops.append(Op("read", len(ops), "all", at_ns, at_ns, at_ns + round(took_s * NS), outcome))
            at_s += took_s + 0.095
    marks = [
        Mark(0, EVENT, "k6", load.detail()),
        Mark(0, "drill.baseline"),
        Mark(round(FAULT_S * NS), "fault.begin"),
        Mark(round(FAULT_S * NS), "fault.effective"),
        Mark(round(END_S * NS), "drill.end"),
    ]
    return History.of(ops=ops, marks=marks, samples=[Sample(0, "clock_offset_s", "k6", 0.0)])


def test_one_client_in_twenty_that_hung_is_no_pass() -> None:
    """An open loop would have seen 5 % fail for eight seconds; this record has one failure in 8,000."""
    load = ImportedLoad(closed=True, clients=20, only_rto=True)
    found = measure(history(load, 20, 1, 8.0), OBJECTIVES)["rto_s"]
    assert found.lower == 0
    assert found.upper is not None
    assert found.upper >= 8.0
    assert "waiting clients omitted" in found.because
    assert judge(history(load, 20, 1, 8.0), OBJECTIVES).measurements["rto_s"].verdict is Verdict.UNPROVEN


def test_the_number_of_clients_need_not_be_known() -> None:
    """It is as many as ever waited at once, which makes the bound no lower."""
    known = measure(history(ImportedLoad(closed=True, clients=20), 20, 1, 8.0), OBJECTIVES)["rto_s"]
    unknown = measure(history(ImportedLoad(closed=True), 20, 1, 8.0), OBJECTIVES)["rto_s"]
    assert known.upper is not None
    assert unknown.upper is not None
    assert unknown.upper >= 8.0


def test_an_open_loop_omits_nothing() -> None:
    """The same record is what it is."""
    found = measure(history(ImportedLoad(closed=False), 20, 1, 8.0), OBJECTIVES)["rto_s"]
    assert found.upper is not None
    assert found.upper < 1.0


def test_all_that_wait_are_no_load_that_stopped() -> None:
    """Every client hung: the gap in the load is their waiting, and the time of recovery is known to the next request."""
    load = ImportedLoad(closed=True, clients=5, only_rto=True)
    found = judge(history(load, 5, 5, 2.0), OBJECTIVES)
    rto = found.measurements["rto_s"]
    assert found.verdict is Verdict.MET, found.reasons
    assert rto.upper is not None
    assert 2.0 <= rto.upper < 2.5


def test_a_load_that_stopped_without_waiting_stays_a_doubt() -> None:
    """Clients that were simply gone prove nothing."""
    load = ImportedLoad(closed=True, clients=5, only_rto=True)
    whole = history(load, 5, 5, 2.0)
    assert whole.ops is not None
    gone = whole.ops.filter(~whole.ops["began_ns"].is_between(round(25 * NS), round(30 * NS)))
    found = judge(History(ops=gone, marks=whole.marks, samples=whole.samples), OBJECTIVES)
    assert found.verdict is Verdict.UNPROVEN
    assert any("stopped" in reason for reason in found.reasons)


def test_slow_answers_that_thin_the_load_stay_a_doubt() -> None:
    """Requests that were answered in time omit others too, and nobody knows how those had fared."""
    load = ImportedLoad(closed=True, clients=5, only_rto=True)
    ops: list[Op] = []
    for client in range(5):
        at_s = client * 0.02
        while at_s < END_S:
            took_s = 0.8 if FAULT_S < at_s < 35 else 0.005
            at_ns = round(at_s * NS)
            ops.append(Op("read", len(ops), "all", at_ns, at_ns, at_ns + round(took_s * NS), Outcome.OK))
            at_s += took_s + 0.095
    found = judge(History.of(ops=ops, marks=history(load, 5, 0, 0).marks, samples=[]), OBJECTIVES)
    assert found.verdict is Verdict.UNPROVEN
    assert any("the load became less" in reason for reason in found.reasons)


def test_a_mark_that_cannot_be_read_proves_nothing() -> None:
    """A load of which nobody knows how it was sent is taken for the least that it can prove."""
    whole = history(ImportedLoad(closed=True, only_rto=True), 5, 5, 2.0)
    assert whole.marks is not None
    spoiled = History(ops=whole.ops, marks=(Mark(0, EVENT, "k6", "{"), *whole.marks[1:]), samples=whole.samples)
    found = judge(spoiled, OBJECTIVES)
    assert found.verdict is Verdict.UNPROVEN
    assert any(EVENT in reason for reason in found.reasons)
