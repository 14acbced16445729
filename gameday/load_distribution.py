"""`--workers N` and `--workers-elsewhere N`: the load of a drill shared among Locust workers, here and on other machines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drill.unusable import UnusableInput
from gameday.numbers import whole_number
from traffic.runner import LOOPBACK, Meeting, new_token
from traffic.worker import TOKEN_VARIABLE

LAST_PORT = 65_534
TOKEN = re.compile(r"[0-9a-fA-F]{32,}")


@dataclass(frozen=True, slots=True)
class LoadDistribution:
    """How many workers share the load, and where those of other machines find the drill; one token for the whole run.

    `port` 0: any free port, another one for each drill; else it and the next one, so that one command line serves a whole
    run of drills (`while python -m traffic.worker ...; do sleep 1; done`). `token_is_known`: the workers elsewhere have it
    from a secret, so it is not printed.
    """

    workers: int = 0
    elsewhere: int = 0
    host: str = LOOPBACK
    port: int = 0
    token: str = field(default_factory=new_token, repr=False)
    token_is_known: bool = False

    @property
    def meeting(self) -> Meeting:
        """What the load generator is told."""
        return Meeting(
            self.host,
            self.port,
            self.port + 1 if self.port else 0,
            self.token,
            token_is_known=self.token_is_known,
        )

    @property
    def patience_s(self) -> float:
        """How long a drill may wait for workers to be started by hand."""
        return self.meeting.patience_s if self.elsewhere else 0.0


def load_distribution_of(get: Callable[[str], Any]) -> LoadDistribution:
    """What the command line says (`get` gives an option by its name); raises UnusableInput."""
    at = str(get("workers_at"))
    host, colon, port = at.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > LAST_PORT:
        raise UnusableInput(
            f"--workers-at {at} is not of the form HOST:PORT: give the address that other machines reach this one by and a "
            "free port (0: any), such as 127.0.0.1:0"
        )
    given = os.environ.get(TOKEN_VARIABLE, "")
    if given and not TOKEN.fullmatch(given):
        raise UnusableInput(
            f"{TOKEN_VARIABLE} is no token that would keep anybody out: give 32 hexadecimal digits or more "
            "(`openssl rand -hex 24`), or unset it and one is made"
        )
    return LoadDistribution(
        whole_number("--workers", get("workers"), least=0),
        whole_number("--workers-elsewhere", get("workers_elsewhere"), least=0),
        host.strip("[]"),
        int(port),
        given or new_token(),
        token_is_known=bool(given),
    )
