"""Every tool that is installed here, run anew against an outage and judged to its truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill.imports.judged import Truth, judged
from tests.drill.imports.make_data import cases, free_port, is_there, make
from tests.drill.imports.test_truth import FILES, TIMEOUTS


@pytest.mark.nightly
@pytest.mark.parametrize("name", FILES)
def test_the_tool_of_today_is_judged_to_the_truth(name: str, tmp_path: Path) -> None:
    """Not a file of its past: a version that writes another format is found out here."""
    port = free_port()
    case = cases(port)[name]
    if not is_there(case.tool):
        pytest.skip(f"{case.tool} is not installed")
    make(name, case, port, tmp_path)
    truth = Truth.of(name, tmp_path)
    timeout = ("--timeout", "1.5") if name in TIMEOUTS else ()
    rto = judged(tmp_path / f"{name}.gz", *truth.marks, *timeout, "--only-rto").measurements["rto_s"]
    assert rto.lower is not None
    assert rto.upper is not None
    assert rto.lower <= truth.rto_s[1]
    assert truth.rto_s[0] <= rto.upper
