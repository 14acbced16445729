"""A file that each tool wrote of one known outage is judged to the truth, and claims no more than it can."""

from __future__ import annotations

import pytest

from drill.objective import Objectives, Verdict
from tests.drill.imports.judged import DATA, OBJECTIVES, Truth, imported, judged
from tests.drill.imports.make_data import STARVED, cases

FILES = tuple(name for name in cases(0) if name != STARVED)
OPEN = ("k6-open.json", "k6-blackhole.json", "k6-open-nano.csv", "k6-open-seconds.csv")

TIMEOUTS = ("k6-blackhole.json",)
"""Files that need the script's time-out said."""


def words(name: str) -> tuple[str, ...]:
    """The command line for a file of the data."""
    loop = ("--loop", "open") if name in OPEN else ()
    timeout = ("--timeout", "1.5") if name in TIMEOUTS else ()
    return str(DATA / f"{name}.gz"), *Truth.of(name).marks, *loop, *timeout


@pytest.mark.parametrize("name", FILES)
def test_the_bracket_holds_the_truth(name: str) -> None:
    """And the recovery time alone is met, by whatever way the tool sends its load."""
    truth = Truth.of(name)
    found = judged(*words(name), "--only-rto")
    rto = found.measurements["rto_s"]
    assert rto.lower is not None
    assert rto.upper is not None
    assert rto.lower <= truth.rto_s[1]
    assert truth.rto_s[0] <= rto.upper
    assert 0 < rto.lower < rto.upper < 8, "a bracket that says nothing"
    down = found.measurements["downtime_s"]
    assert down.lower is not None
    assert down.upper is not None
    assert down.lower <= truth.rto_s[1] <= down.upper + 0.01
    assert found.verdict is Verdict.MET, found.reasons
    assert not [n for n, j in found.measurements.items() if j.verdict and not n.startswith("rto")]


@pytest.mark.parametrize("name", FILES)
def test_a_limit_below_the_truth_is_missed(name: str) -> None:
    """Whatever bracket was widened, it still tells the objective that was plainly not met."""
    strict = Objectives(rto_s=0.3, deadline_s=1.0, window_s=1.0, settle_s=2.0)
    assert judged(*words(name), "--only-rto", objectives=strict).verdict is Verdict.MISSED


@pytest.mark.parametrize("name", FILES)
def test_what_was_lost_is_not_proved_by_a_load_tool(name: str) -> None:
    """Nobody read what survived, so the whole is unproven."""
    found = judged(*words(name))
    assert found.verdict is Verdict.UNPROVEN
    assert "survivors.parquet is missing" in found.reasons
    for figure in ("rpo_s", "lost_writes", "lost_after_fault"):
        assert found.measurements[figure].value is None, figure


def test_the_basis_tells_how_the_load_was_sent() -> None:
    """No tool records when a request was due."""
    for name in FILES:
        basis = judged(*words(name)).measurements["rto_s"].measurement.basis
        assert "by actual start" in basis
        is_open = name in OPEN or name.startswith("vegeta")
        assert ("open loop, as its owner says" in basis) is is_open
        assert ("closed loop omits" in basis) is not is_open


def test_a_load_that_had_no_clients_left_proves_nothing() -> None:
    """k6 counts the iterations that it dropped; neither a pass nor a miss stands beside them."""
    for limit in (OBJECTIVES, Objectives(rto_s=0.3, deadline_s=1.0, window_s=1.0, settle_s=2.0)):
        found = judged(
            DATA / f"{STARVED}.gz", *Truth.of(STARVED).marks, "--loop", "open", "--only-rto", objectives=limit
        )
        assert found.verdict is Verdict.UNPROVEN
        assert any("could not send" in reason for reason in found.reasons)


def test_without_a_fault_nothing_is_proved() -> None:
    """The file shows an outage, but not what of."""
    found = judged(DATA / "vegeta.json.gz", "--only-rto")
    assert found.verdict is Verdict.UNPROVEN
    assert found.measurements["rto_s"].value is None


def test_two_generators_are_one_load() -> None:
    """Each file's clients are cohorts of their own."""
    name = "jmeter.csv"
    bundle = imported(DATA / f"{name}.gz", DATA / f"{name}.gz", *Truth.of(name).marks)
    one = imported(DATA / f"{name}.gz", *Truth.of(name).marks)
    assert bundle.record["requests"] == 2 * one.record["requests"]
    assert bundle.record["load"].clients == 2 * one.record["load"].clients
    assert len(bundle.record["files"][0]["sha256"]) == 64


@pytest.mark.parametrize("name", FILES)
def test_what_was_sent_is_what_was_read(name: str) -> None:
    """As many as the tool says: reads and writes where it tells the method, failures by what they prove."""
    ops = imported(*words(name)).history.ops
    assert ops is not None
    kinds = set(ops["op"].unique())
    expected = {"locust.csv": {"read", "write"}, "k6-open.json": {"write"}}
    nameless = name.startswith(("jmeter", "gatling"))
    assert kinds == expected.get(name, {"request"} if nameless else {"read"})
    bad = ops.filter(ops["outcome"] != "ok")
    how = cases(0)[name].how
    outcome, errors = {
        "503": ("unknown", {"status"}),
        "hang": ("unknown", {"timeout"}),
        "blackhole": ("unknown", {"timeout"}),
        "refuse": ("fail", {"refused"}),
    }[how]
    usual = bad.filter((bad["outcome"] == outcome) & bad["error"].is_in(errors))
    assert usual.height > 5
    assert usual.height >= 0.9 * bad.height
    assert (ops["ended_ns"] >= ops["began_ns"]).all()
    assert ops["key"].n_unique() == ops.height
