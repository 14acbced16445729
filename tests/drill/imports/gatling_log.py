"""A simulation.log in the text form of Gatling 3.9, of real requests against a real outage: `python gatling_log.py PORT LASTS_S`.

Gatling cannot be had from the package registries. Each line here is written as its LogFileDataWriter of version 3.9.5 writes it,
with that version's words for a failed check, a time-out and a refused connection; the requests and their times are real.
"""

from __future__ import annotations

import http.client
import sys
import threading
import time
from pathlib import Path

USERS = 4
PAUSE_S = 0.1
TIMEOUT_S = 1.5
CHECK = "status.find.in(200,201,202,203,204,205,206,207,208,209,304), but actually found"


def now_ms() -> int:
    """As Gatling's clock has it."""
    return time.time_ns() // 1_000_000


def requested(port: int) -> str:
    """One line."""
    began = now_ms()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    status, message = "KO", " "
    try:
        connection.request("GET", "/orders")
        code = connection.getresponse().status
        status, message = ("OK", " ") if code == 200 else ("KO", f"{CHECK} {code}")
    except TimeoutError:
        message = f"i.g.h.c.i.RequestTimeoutException: Request timeout to 127.0.0.1:{port} after 1500 ms"
    except OSError:
        message = f"i.n.c.AbstractChannel$AnnotatedConnectException: Connection refused: /127.0.0.1:{port}"
    finally:
        connection.close()
    return f"REQUEST\t\tGET orders\t{began}\t{now_ms()}\t{status}\t{message}\n"


def main(port: int, lasts_s: float, target: Path) -> None:
    """Drive the load and write the log."""
    lines: list[str] = []
    until = time.monotonic() + lasts_s

    def user() -> None:
        lines.append(f"USER\tBuyers\tSTART\t{now_ms()}\n")
        while time.monotonic() < until:
            lines.append(requested(port))
            time.sleep(PAUSE_S)
        lines.append(f"USER\tBuyers\tEND\t{now_ms()}\n")

    start = now_ms()
    users = [threading.Thread(target=user) for _ in range(USERS)]
    for one in users:
        one.start()
    for one in users:
        one.join()
    head = f"RUN\tshop.OrdersSimulation\torderssimulation\t{start}\t \t3.9.5\n"
    target.write_text(head + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
