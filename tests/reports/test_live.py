"""Live progress: redrawn on a terminal, plain lines elsewhere, and seen through pytest's capture."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
from pathlib import Path

from rich.console import Console

from drill.wait import wait_until
from reports.live import Live
from reports.observers import Several

ROOT = Path(__file__).parents[2]


def _plain() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=100), out


def test_every_phase_and_mark_is_a_timestamped_line_in_a_log() -> None:
    """A log that nobody watches says when each phase began, what happened, and how long since the fault."""
    console, out = _plain()
    with Live(console, "primary_region_lost", every_s=60) as live:
        live.phase("baseline")
        live.update(good_share=0.995, rate_per_s=200, lag_aurora_s=0.004)
        live.phase("breaking")
        live.mark("fault.effective", "us-east-1 region_lost")
        live.phase("awaiting recovery")
    lines = out.getvalue().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    assert lines[0].endswith("primary_region_lost: standing up")
    assert lines[2].endswith("breaking: good 99.5 %, rate 200/s, lag aurora 4 ms")
    assert "fault.effective us-east-1 region_lost" in lines[3]
    assert "[fault +0.0 s] awaiting recovery" in lines[4]
    assert "done" in lines[5]


def test_a_log_goes_on_while_the_drill_hangs() -> None:
    """Nobody calls, and still a line comes every few seconds: that is where a drill is seen to hang."""
    console, out = _plain()
    with Live(console, every_s=0.05) as live:
        live.phase("awaiting recovery")
        wait_until(lambda: out.getvalue().count("awaiting recovery") >= 3, what="two more lines", timeout_s=5)


def test_a_terminal_is_redrawn_and_left_with_one_line() -> None:
    """Phase, clock since the fault, shares and marks are drawn; at the end only how long each phase took stays."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with Live(console, "primary_region_lost") as live:
        live.phase("awaiting recovery")
        live.update(since_fault_s=2.5, good_share=0.1, lag_s3_s=None)
        live.mark("dns.answer", "us-west-2")
        wait_until(lambda: "dns.answer us-west-2" in out.getvalue(), what="a redraw", timeout_s=5)
    text = out.getvalue()
    assert re.search(r"2\.\d s since the fault", text)
    assert "good 10.0 %" in text
    assert "s ago  dns.answer us-west-2" in text
    assert "\x1b[2K" in text
    assert text.rstrip().splitlines()[-1].strip().startswith(("\x1b", "awaiting recovery"))


def test_closing_twice_and_a_terminal_that_went_away_do_no_harm() -> None:
    """Progress never makes a drill fail that is breaking a region, and leaves no thread."""
    console, out = _plain()
    before = set(threading.enumerate())
    live = Live(console, every_s=60)
    out.close()
    live.phase("breaking")
    live.mark("fault.effective", "")
    live.close()
    live.close()
    assert set(threading.enumerate()) <= before


def test_several_observers_hear_the_same() -> None:
    """The terminal and Allure are told alike."""
    (one, first), (two, second) = _plain(), _plain()
    with Live(one, every_s=60) as a, Live(two, every_s=60) as b:
        both = Several(a, b)
        both.phase("baseline")
        both.update(good_share=1.0)
        both.mark("dns.answer", "us-west-2")
    for out in (first, second):
        assert "baseline" in out.getvalue()
        assert "dns.answer us-west-2" in out.getvalue()


def test_progress_is_seen_though_pytest_captures(tmp_path: Path) -> None:
    """A passing test's progress stands in pytest's own output, after the test's name and before its result."""
    (tmp_path / "test_drill.py").write_text(
        "from reports.live import Live\n"
        "from reports.terminal import real_console\n"
        "def test_lost(request):\n"
        "    print('swallowed')\n"
        "    with real_console(request.config) as console, Live(console, 'lost', every_s=60) as live:\n"
        "        live.phase('breaking')\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    name, progress, passed = (done.stdout.index(x) for x in ("::test_lost", " breaking", "PASSED"))
    assert name < progress < passed
    assert "swallowed" not in done.stdout
    assert re.search(r"::test_lost ?\n\d\d:\d\d:\d\d lost: standing up\n", done.stdout)
