"""How LocalStack is started: its environment, its directories, and which of them answers what."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from pathlib import Path

from drill.host_environment import child_environment
from drill.unusable import UnusableInput
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.run_layout import RUN_ID_VARIABLE, Emulator, RunLayout
from infra_fixtures.targets.localstack.installation import ENVIRONMENT
from infra_fixtures.targets.localstack.options import EVERYWHERE, Settings

LAUNCHER = Path(__file__).with_name("launcher.py")
HEALTH = "/_localstack/health"
NOWHERE = "http://127.0.0.1:9"
"""Where LocalStack's calls home go: the discard port, which refuses."""
HEALTH_LIMIT_S = 5.0
CACHE = ENVIRONMENT / "cache"
"""What LocalStack works out at every first start (an index of all AWS services, a certificate): seconds, so it is kept."""


def emulators(layout: RunLayout, settings: Settings, python: Path | None) -> tuple[Emulator, ...]:
    """One LocalStack a region and one for global services, or one for all; `python` starts those that no URL is given for."""
    regions = [r.name for r in layout.regions]
    if settings.shared or EVERYWHERE in settings.urls:
        return (_emulator(layout, settings, python, EVERYWHERE, (*regions, GLOBAL), ""),)
    return (
        *(_emulator(layout, settings, python, r, (r,), r) for r in regions),
        _emulator(layout, settings, python, GLOBAL, (GLOBAL,), ""),
    )


def offered(url: str, mend: str) -> frozenset[str]:
    """The services that a LocalStack says it has; raises UnusableInput, with what mends it, where none answers there."""
    try:
        with urllib.request.urlopen(url + HEALTH, timeout=HEALTH_LIMIT_S) as answer:
            return frozenset(json.load(answer)["services"])
    except (OSError, ValueError, KeyError) as e:
        raise UnusableInput(f"no LocalStack answers at {url} ({e}): {mend}") from e


def _emulator(
    layout: RunLayout, settings: Settings, python: Path | None, where: str, regions: tuple[str, ...], lost_with: str
) -> Emulator:
    name = "LocalStack" if where == EVERYWHERE else f"LocalStack of {where}"
    log = Path(layout.work_dir) / f"localstack-{where}.log"
    if where in settings.urls:
        return Emulator(name, settings.urls[where], regions, HEALTH)
    assert python is not None
    port = _free_port()
    # It names endpoints after this host: with the region's own suffix as AWS does, so that records can alias them.
    named = {"LOCALSTACK_HOST": f"{lost_with}.amazonaws.com:{port}"} if lost_with else {}
    return Emulator(
        name,
        f"http://127.0.0.1:{port}",
        regions,
        HEALTH,
        argv=(str(python), "-P", str(LAUNCHER)),
        environment=tuple(
            {
                **environment(Path(layout.work_dir) / f"localstack-{where}", port, layout.run_id),
                "SERVICES": ",".join(s for s in _services_for(regions) if s not in layout.moto_services),
                **named,
            }.items()
        ),
        log=str(log),
        lost_with=lost_with,
    )


def _services_for(regions: tuple[str, ...]) -> tuple[str, ...]:
    """What a run asks of a LocalStack, in the order in which provisioning does."""
    regional = ("s3", "kms", "ec2", "apigateway", "logs", "sns") if any(r != GLOBAL for r in regions) else ()
    return (*regional, *(("iam",) if GLOBAL in regions else ()))


def environment(home: Path, port: int, run_id: str) -> dict[str, str]:
    """What LocalStack is started with: loopback alone, nothing of the machine's touched, no word to anybody.

    OVERRIDE_IN_DOCKER: where /.dockerenv exists it would take the machine for its own container and rewrite
    /etc/resolv.conf. GATEWAY_LISTEN: an IPv4 host is ignored and every interface bound, an IPv6 host is not; this one is
    127.0.0.1 written as IPv6. (Its other server, hypercorn, obeys, and was seen to leave calls unanswered.)
    EAGER_SERVICE_LOADING: it loads SERVICES one after the other before it serves; asked for several at once while it still
    has to load them, it was seen to answer none. Others are loaded when asked for (STRICT_SERVICE_LOADING).
    """
    places = {
        "HOME": home / "home",
        "TMPDIR": home / "tmp",
        "FILESYSTEM_ROOT": home / "root",
        "LOCALSTACK_VOLUME_DIR": home / "volume",
        "CONFIG_DIR": home / "config",
        "XDG_CACHE_HOME": CACHE / "python",
    }
    kept = places["FILESYSTEM_ROOT"] / "var" / "lib" / "localstack" / "cache"
    home.mkdir(mode=0o700, exist_ok=True)
    for place in (*places.values(), kept.parent, CACHE / "localstack"):
        place.mkdir(parents=True, exist_ok=True)
    kept.symlink_to(CACHE / "localstack")
    return {
        **child_environment(os.environ),
        **{name: str(place) for name, place in places.items()},
        RUN_ID_VARIABLE: run_id,
        "OVERRIDE_IN_DOCKER": "0",
        "DNS_ADDRESS": "0",
        "GATEWAY_LISTEN": f"[::ffff:127.0.0.1]:{port}",
        "EAGER_SERVICE_LOADING": "1",
        "STRICT_SERVICE_LOADING": "0",
        "LS_LOG": "warning",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "API_ENDPOINT": NOWHERE,
        "ANALYTICS_API": NOWHERE,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
