"""What a person sees while a drill runs: its phase, the time since the fault, how clients fare, what just happened.

On a terminal four lines are redrawn in place; elsewhere (CI) plain timestamped lines are written at each phase, at
each mark and every few seconds, so that a log shows where a drill hung.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live as Redrawn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

FAULT = ("fault.begin", "fault.effective")
SHOWN_MARKS = 3
GOOD = {True: "green", False: "bold red"}


class Live:
    """An observer of a drill. Safe to call from any thread; showing progress never makes a drill fail."""

    def __init__(self, console: Console, title: str = "", *, every_s: float = 5.0) -> None:
        self._console = console
        self._title = title
        self._lock = threading.Lock()
        self._began = self._phase_began = time.monotonic()
        self._fault_at: float | None = None
        self._phase = "standing up"
        self._figures: dict[str, float | str] = {}
        self._marks: deque[tuple[float, str]] = deque(maxlen=SHOWN_MARKS)
        self._done: list[tuple[str, float]] = []
        self._stop = threading.Event()
        self._redrawn: Redrawn | None = None
        if console.is_terminal:
            # Not redirecting stdout: under pytest it belongs to the capture.
            self._redrawn = Redrawn(
                get_renderable=self._drawing, console=console, refresh_per_second=8, transient=True,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._redrawn.start()
        else:
            self._ticker = threading.Thread(target=self._tick, args=(every_s,), name="progress", daemon=True)
            self._ticker.start()
            self._line(f"{self._phase}" if not title else f"{title}: {self._phase}")

    def phase(self, name: str) -> None:
        """A phase begins; how long the one before took is kept."""
        with self._lock:
            now = time.monotonic()
            self._done.append((self._phase, now - self._phase_began))
            self._phase, self._phase_began = name, now
        if self._redrawn is None:
            self._line(f"{name}{self._figures_line()}")

    def update(self, **figures: float | str | None) -> None:
        """Figures of the moment, named with their unit (good_share, rate_per_s, lag_aurora_s); None removes one.

        `since_fault_s` sets the clock that goes on counting by itself.
        """
        with self._lock:
            since = figures.pop("since_fault_s", None)
            if isinstance(since, int | float):
                self._fault_at = time.monotonic() - since
            for name, value in figures.items():
                if value is None:
                    self._figures.pop(name, None)
                else:
                    self._figures[name] = value

    def mark(self, event: str, detail: str = "") -> None:
        """Something happened to the system."""
        with self._lock:
            if event in FAULT:
                self._fault_at = time.monotonic()
            self._marks.append((time.monotonic(), f"{event} {detail}".strip()))
        if self._redrawn is None:
            self._line(f"  {event} {detail}".rstrip())

    def say(self, text: str) -> None:
        """A line that stays on the terminal, whole, so that it can be copied; it is kept in no record."""
        with contextlib.suppress(OSError, ValueError):
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Nothing is redrawn in here: a person is asked something on the same terminal."""
        if self._redrawn is None:
            yield
            return
        self._redrawn.stop()
        try:
            yield
        finally:
            self._redrawn.start()

    def close(self) -> None:
        """Stop drawing; on a terminal one line stays: how long each phase took. May be called twice."""
        if self._stop.is_set():
            return
        self._stop.set()
        with self._lock:
            self._done.append((self._phase, time.monotonic() - self._phase_began))
        taken = "  ".join(f"{name} {took:.1f} s" for name, took in self._done if took >= 0.05)
        with contextlib.suppress(OSError, ValueError):
            if self._redrawn is not None:
                self._redrawn.stop()
                self._console.print(Text(f"  {taken}", style="dim"), highlight=False)
            else:
                self._ticker.join(timeout=1.0)
                self._line(f"done: {taken}")

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _tick(self, every_s: float) -> None:
        while not self._stop.wait(every_s):
            self._line(f"{self._phase}{self._figures_line()}")

    def _line(self, text: str) -> None:
        clock = dt.datetime.now(dt.UTC).strftime("%H:%M:%S")
        fault = "" if self._fault_at is None else f" [fault +{time.monotonic() - self._fault_at:.1f} s]"
        # A terminal that went away (a closed pipe) must not end a drill that is breaking a region.
        with contextlib.suppress(OSError, ValueError):
            self._console.print(f"{clock}{fault} {text}", markup=False, highlight=False, soft_wrap=True)

    def _figures_line(self) -> str:
        with self._lock:
            told = [f"{_name(n)} {_said(n, v)}" for n, v in self._figures.items()]
        return ", ".join(["", *told]).replace(", ", ": ", 1) if told else ""

    def _drawing(self) -> RenderableType:
        with self._lock:
            now = time.monotonic()
            head = Table.grid(padding=(0, 1))
            spinner = Spinner("dots", style="cyan")
            spinner.start_time = self._began
            fault = (
                Text() if self._fault_at is None else Text(f"{now - self._fault_at:.1f} s since the fault", "bold red")
            )
            head.add_row(
                spinner, Text(self._title, style="bold"), Text(self._phase, style="cyan"),
                Text(f"{now - self._phase_began:.1f} s", style="dim"), fault,
            )  # fmt: skip
            figures = Text("  ")
            for name, value in self._figures.items():
                figures.append(f"{_name(name)} ", style="dim")
                good = name != "good_share" or not isinstance(value, int | float) or value >= 0.99
                figures.append(_said(name, value) + "   ", style="" if name != "good_share" else GOOD[good])
            marks = [Text(f"  {now - at:5.1f} s ago  {text}", style="dim", no_wrap=True) for at, text in self._marks]
        return Group(head, figures, *marks)


def _name(figure: str) -> str:
    for unit in ("_per_s", "_share", "_s"):
        figure = figure.removesuffix(unit)
    return figure.replace("_", " ")


def _said(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if name.endswith("_share"):
        return f"{value * 100:.1f} %"
    if name.endswith("_per_s"):
        return f"{value:,.0f}/s"
    if name.endswith("_s"):
        return f"{value * 1000:.0f} ms" if abs(value) < 1 else f"{value:.1f} s"
    return f"{value:g}"
