"""Another user of this machine, beside a system that stands: nothing of it is theirs to use, read or break.

As root the attempts are made as the user nobody; else as the same user without the secrets, through the network alone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import selectors
import signal
import socket
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from botocore.exceptions import ClientError

from infra_fixtures.access import sigv4
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.internal_api.admin import set_region
from infra_fixtures.internal_api.listening import control_address
from infra_fixtures.run_layout import Address, RunLayout
from infra_fixtures.safety.sweep import processes_of
from infra_fixtures.standing import standing
from infra_fixtures.targets.embedded_world import Embedded
from infra_fixtures.targets.own_processes import call_global_process

pytestmark = pytest.mark.slow
ROOT = os.geteuid() == 0
only_as_root = pytest.mark.skipif(not ROOT, reason="only root can be another user")
MADE_UP = AccessKey("AKIAMADEUPBYSTRANGER", "made up")
JSON11 = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A system that stands, with a worker of its own; at the end it must still serve."""
    with standing("embedded", pace=10.0, runs_dir=tmp_path_factory.mktemp("runs")) as stood:
        assert isinstance(stood, Embedded)
        yield stood
        assert stood.deaths() == ()
        invoked = stood.client("lambda", stood.primary).invoke(
            FunctionName=stood.deployed.orders_function, Payload=b'{"job": "ping"}'
        )
        assert invoked["StatusCode"] == 200


@pytest.fixture
def layout(world: Embedded) -> RunLayout:
    """Where everything listens: a stranger can find that out."""
    return world.layout


def as_stranger(attempt: Callable[[], Any]) -> Any:
    """What an attempt gives when somebody else makes it; the name of the error that it ends in."""
    told, teller = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if ROOT:
                nobody = pwd.getpwnam("nobody")
                os.setgroups([])
                os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
                os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
            try:
                said = attempt()
            except Exception as e:
                said = f"{type(e).__name__}: {e}"
            os.write(teller, json.dumps(said).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(teller)
    with os.fdopen(told, "rb") as heard:
        answer = json.loads(heard.read())
    os.waitpid(pid, 0)
    return answer


def ask(
    at: Address, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """A plain HTTP request, as a stranger makes it: status, and error type header with body."""

    def attempt() -> tuple[int, str]:
        connection = http.client.HTTPConnection(at.host, at.port, timeout=10)
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers.get("x-amzn-errortype", "") + answer.read(5000).decode()

    status, said = as_stranger(attempt)
    return int(status), str(said)


def signed(key: AccessKey, at: Address, method: str, path: str, body: bytes, service: str) -> dict[str, str]:
    """Signed by a key of one's own."""
    return sigv4.sign(key, method, str(at), path, region="us-east-1", service=service, payload=sigv4.digest(body))


CALLS = {
    "create a function": ("lambda", "POST", "/2015-03-31/functions", b'{"FunctionName": "mine"}', "", JSON11),
    "invoke a function": ("lambda", "POST", "/2015-03-31/functions/orders/invocations", b"{}", "", JSON11),
    "read a secret": ("secretsmanager", "POST", "/", b'{"SecretId": "x"}', "secretsmanager.GetSecretValue", JSON11),
    "use a key": ("kms", "POST", "/", b"{}", "TrentService.ListKeys", JSON11),
    "list access keys": ("iam", "POST", "/", b"Action=ListAccessKeys&Version=2010-05-08", "", FORM),
    "fail the cluster over": ("rds", "POST", "/", b"Action=FailoverGlobalCluster&Version=2014-10-31", "", FORM),
    "move the records": ("route53", "GET", "/2013-04-01/hostedzone", b"", "", ""),
    "open the firewall": ("ec2", "POST", "/", b"Action=DescribeSecurityGroups&Version=2016-11-15", "", FORM),
    "list buckets": ("s3", "GET", "/", b"", "", ""),
}
NAMES = {  # unsigned, unknown key, wrong secret
    "json": ("MissingAuthenticationTokenException", "UnrecognizedClientException", "InvalidSignatureException"),
    "xml": ("MissingAuthenticationToken", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "ec2": ("AuthFailure", "AuthFailure", "AuthFailure"),
    "s3": ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
}
FORMS = {"json": '"__type":"{}"', "xml": "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code>",
         "ec2": "<Response><Errors><Error><Code>{}</Code>", "s3": "<Error><Code>{}</Code>"}  # fmt: skip


@pytest.mark.parametrize("wish", CALLS)
def test_the_aws_api_refuses_as_aws_does(layout: RunLayout, wish: str) -> None:
    """Unsigned, with a made-up key, with the run's key id and another secret: refused, in the form of the protocol."""
    service, method, path, body, target, kind = CALLS[wish]
    protocol = service if service in NAMES else "json" if kind == JSON11 else "xml"
    headers = {k: v for k, v in (("Content-Type", kind), ("X-Amz-Target", target)) if v}
    guessed = AccessKey(layout.credentials.user.id, "guessed")
    for at in (layout.primary.aws, layout.global_aws, layout.internal, layout.primary.egress):
        tries = (
            {"Authorization": f"Bearer Credential=x/20260101/us-east-1/{service}/aws4_request"},
            signed(MADE_UP, at, method, path, body, service),
            signed(guessed if at != layout.internal else AccessKey(layout.credentials.reconciler.id, "guessed"),
                   at, method, path, body, service),
        )  # fmt: skip
        for headers_tried, name in zip(tries, NAMES[protocol], strict=True):
            status, said = ask(at, method, path, body, headers | headers_tried)
            assert status == (401 if protocol == "ec2" else 403), said
            assert FORMS[protocol].format(name) in said


def test_lambdas_own_door_refuses_too(layout: RunLayout) -> None:
    """The Invoke API behind the front: the same three, as Lambda words them."""
    at, path = layout.primary.lambda_api, "/2015-03-31/functions/orders/invocations"
    guessed = AccessKey(layout.credentials.user.id, "guessed")
    tries = ({}, *(signed(key, at, "POST", path, b"{}", "lambda") for key in (MADE_UP, guessed)))
    for headers, name in zip(tries, NAMES["json"], strict=True):
        status, said = ask(at, "POST", path, b"{}", headers)
        assert (status, said.partition("{")[0]) == (403, name)


def test_the_inner_endpoint_takes_the_reconcilers_key_alone(world: Embedded) -> None:
    """A user's or a function's key would reach a lost region there: not known."""
    at = world.layout.internal
    for key in (world.layout.credentials.user, world.layout.credentials.of_role("arn:aws:iam::123456789012:role/r")):
        token = {"X-Amz-Security-Token": key.token} if key.token else {}
        status, said = ask(at, "GET", "/", b"", {**signed(key, at, "GET", "/", b"", "s3"), **token})
        assert (status, "InvalidAccessKeyId" in said) == (403, True)


@pytest.mark.parametrize(
    ("part", "method", "path", "body"),
    [
        ("global process", "POST", "/regions/us-east-1/lose", {}),
        ("global process", "POST", "/regions/us-east-1/processes/database/kill", {}),
        ("global process", "PUT", "/links/replication/both/rules/x", {"cut": True}),
        ("global process", "POST", "/shutdown", {}),
        ("global process", "GET", "/state", {}),
        ("region", "PUT", "/links", {}),
        ("region", "GET", "/state", {}),
        ("internal", "PUT", "/_drill/regions/us-east-1", {"up": False}),
        ("internal", "GET", "/_drill/rds/us-east-1/clusters/drill/credentials", {}),
        ("internal", "GET", "/_drill/changes", {}),
        ("internal", "GET", "/_drill/lambda/us-east-1/functions/orders/code/00?signature=00", {}),
    ],
)
def test_the_runs_own_doors_want_its_secret(layout: RunLayout, part: str, method: str, path: str, body: Any) -> None:
    """Kill a region or a database, change a link, stop all, read state, changes, passwords, code: 401, each time."""
    doors = {
        "global process": layout.global_process,
        "region": control_address(layout.primary),
        "internal": layout.internal,
    }
    for secret in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer guessed"}):
        status, said = ask(doors[part], method, path, json.dumps(body).encode(), secret)
        assert (status, "needs the run's own secret" in said) == (401, True)


@only_as_root
def test_no_file_of_the_run_can_be_read(world: Embedded) -> None:
    """The directory is closed: its list, the layout with the secrets, logs, databases, functions' code and scratch."""
    work_dir = Path(world.layout.work_dir)
    assert as_stranger(lambda: [str(p) for p in work_dir.iterdir()]).startswith("PermissionError")
    files = [p for p in work_dir.rglob("*") if p.is_file() and not p.is_symlink()]
    assert len(files) > 100
    assert {"layout.json", "control_plane.log", "pgpass", "rdsadmin.secret"} <= {p.name for p in files}

    def readable() -> list[str]:
        found = []
        for path in files:
            with contextlib.suppress(OSError):
                path.read_bytes()
                found.append(str(path))
        return found

    assert as_stranger(readable) == []
    for path in files:  # each by itself, should the directory ever be open
        within = path.relative_to(work_dir).parts
        if within[0] != "lambda" or within[2] == "tmp":  # functions' own code is for their user to read
            assert path.stat().st_mode & 0o077 == 0, path
    assert (world.layout.path.stat().st_mode & 0o777, world.layout.path.stat().st_uid) == (0o600, os.geteuid())


@pytest.mark.parametrize("door", ["node", "writer", "reader", "upstream"])
def test_postgresql_wants_a_password(world: Embedded, door: str) -> None:
    """By TCP, as the automation's user and as the application's: none and a wrong one are refused."""
    at: Address = getattr(world.layout.primary, door)
    user = world.database(world.primary).user
    for name in ("rdsadmin", user):
        for password in ("", "wrong"):

            def connect(name: str = name, password: str = password) -> str:
                with psycopg.connect(
                    host=at.host, port=at.port, user=name, password=password, dbname="postgres", connect_timeout=5,
                    passfile="/dev/null", sslmode="disable",
                ):  # fmt: skip
                    return "connected"

            said = as_stranger(connect)
            assert said.startswith("OperationalError")
            assert "password" in said


def test_postgresql_has_no_unix_socket(world: Embedded) -> None:
    """Nothing of the run listens on a path, and the rule for one is to reject."""
    pids = {p.pid for p in processes_of(world.layout.run_id, Path(world.layout.work_dir))}
    listening = [c for c in psutil.net_connections("unix") if c.pid in pids and str(c.laddr).startswith("/")]
    assert listening == []
    rules = (Path(world.layout.work_dir) / world.primary / "aurora" / "pg_hba.conf").read_text().splitlines()
    assert [r.split()[-1] for r in rules] == ["reject", "scram-sha-256", "scram-sha-256"]


def _worker_ports(world: Embedded) -> list[Address]:
    """Where Runtime APIs of the primary's workers listen."""
    host = world.layout.primary.runtime_host
    control = control_address(world.layout.primary)
    found = [c.laddr for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr]
    return [Address(str(ip), int(port)) for ip, port in found if ip == host and port != control.port]


@only_as_root
def test_a_workers_runtime_api_answers_its_worker_alone(world: Embedded) -> None:
    """Next invocation, an answer to one, an initialisation error: 403, to nobody and to root."""
    ports = _worker_ports(world)
    assert ports
    runtime = "/2018-06-01/runtime"
    for at in ports:
        for method, path in (
            ("GET", f"{runtime}/invocation/next"),
            ("POST", f"{runtime}/invocation/x/response"),
            ("POST", f"{runtime}/init/error"),
        ):
            assert ask(at, method, path, b"" if method == "GET" else b"{}")[0] == 403
    connection = http.client.HTTPConnection(ports[0].host, ports[0].port, timeout=10)
    connection.request("GET", f"{runtime}/invocation/next")
    assert connection.getresponse().status == 403


def test_nothing_listens_but_the_known_doors(world: Embedded) -> None:
    """moto has no port of its own, and no process of the run opened one that the plan does not name."""
    layout = world.layout
    pids = {p.pid for p in processes_of(layout.run_id, Path(layout.work_dir))}
    known = {(a.host, a.port) for a in layout.addresses.values()}
    known |= {(a.host, a.port) for a in map(control_address, layout.regions)}
    runtimes = {r.runtime_host for r in layout.regions}
    listening = {
        (str(c.laddr[0]), int(c.laddr[1]))
        for c in psutil.net_connections("inet")
        if c.pid in pids and c.status in (psutil.CONN_LISTEN, psutil.CONN_NONE) and c.laddr and not c.raddr
    }
    assert {a for a in listening if a[0] not in runtimes} - known == set()
    assert listening


@only_as_root
def test_functions_run_as_a_user_that_nobody_else_is(world: Embedded) -> None:
    """Workers: a transient uid, no way back to root, no core dumps, limited memory; nobody may touch them or PostgreSQL."""
    uid = world.layout.worker_uid
    assert uid not in {None, 0, world.layout.pg_uid, pwd.getpwnam("nobody").pw_uid}
    processes = processes_of(world.layout.run_id, Path(world.layout.work_dir))
    workers = [p for p in processes if p.uids().real == uid]
    assert workers
    for worker in workers:
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert status["Uid"].split() == status["Gid"].split() == [str(uid)] * 4
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        limits = Path(f"/proc/{worker.pid}/limits").read_text()
        limit = next(line for line in limits.splitlines() if line.startswith("Max data size")).split()[3]
        assert 0 < int(limit) < 1 << 30
        assert next(line for line in limits.splitlines() if line.startswith("Max core")).split()[4:6] == ["0", "0"]

    def touched() -> list[int]:
        found = []
        for process in processes:
            with contextlib.suppress(PermissionError):
                os.kill(process.pid, signal.SIGCONT)
                found.append(process.pid)
            with contextlib.suppress(OSError):
                Path(f"/proc/{process.pid}/environ").read_bytes()
                found.append(process.pid)
        return found

    assert as_stranger(touched) == []


@pytest.mark.parametrize("door", ["internal", "region", "global"])
def test_nobody_can_fill_the_front_s_memory(layout: RunLayout, door: str) -> None:
    """Who names no key of the run is refused before a byte of a body is read."""
    at = {"internal": layout.internal, "region": layout.primary.aws, "global": layout.global_aws}[door]
    with socket.create_connection((at.host, at.port), timeout=10) as connection:
        connection.sendall(f"PUT /bucket/key HTTP/1.1\r\nHost: {at}\r\nContent-Length: 1000000000\r\n\r\n".encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 403 "), answer[:300]


@contextlib.contextmanager
def strangers_listen(places: Sequence[Address]) -> Iterator[Callable[[], dict[str, str]]]:
    """Another user listens on these and answers what it is told with 200; a call ends that: what it heard where.

    What it could not listen on is not in it, "" was connected to and told nothing.
    """
    told, teller = os.pipe()
    ended, end = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            nobody = pwd.getpwnam("nobody")
            os.setgroups([])
            os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
            os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
            heard: dict[str, str] = {}
            with contextlib.suppress(Exception), selectors.DefaultSelector() as doors:
                doors.register(ended, selectors.EVENT_READ)
                for place in places:
                    with contextlib.suppress(OSError):
                        doors.register(socket.create_server((place.host, place.port)), selectors.EVENT_READ, place)
                        heard[str(place)] = ""
                os.write(teller, b"listening\n")
                while True:
                    ready = [key for key, _ in doors.select()]
                    if any(key.fileobj == ended for key in ready):
                        break
                    for key in ready:
                        assert isinstance(key.fileobj, socket.socket)
                        connection, _ = key.fileobj.accept()
                        with connection, contextlib.suppress(OSError):
                            connection.settimeout(0.2)
                            heard[str(key.data)] += connection.recv(5000).decode("latin-1")
                            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            os.write(teller, json.dumps(heard).encode())
        finally:
            os._exit(0)
    os.close(teller)
    with os.fdopen(told, "rb") as said:
        assert said.readline() == b"listening\n"
        answer: dict[str, str] = {}

        def over() -> dict[str, str]:
            os.write(end, b".")
            answer.update(json.loads(said.read()))
            return answer

        try:
            yield over
        finally:
            os.close(end)
            os.waitpid(pid, 0)
            os.close(ended)


@only_as_root
def test_who_takes_a_dead_process_s_place_is_told_nothing(world: Embedded) -> None:
    """While a region's process is down another user listens on all its ports: no key, no secret, no call, no write gets there.

    A client of the region is reset, an invocation ends as where nobody serves, and once the stranger has gone the region
    comes back.
    """
    layout, region = world.layout, world.layout.primary
    at = world.regional(world.primary)
    call_global_process(layout, "POST", f"/regions/{region.name}/processes/region/kill")
    try:
        places = [region.gateway, region.writer, region.reader, region.egress, region.lambda_api]
        with strangers_listen([*places, control_address(region), region.edge, region.upstream]) as over:
            for _ in range(3):
                with pytest.raises(OSError, match="reset"):
                    urllib.request.urlopen(urllib.request.Request(at.url + "/health", headers=dict(at.headers)))
            with pytest.raises(ClientError, match="ServiceException"):
                world.client("lambda", region.name).invoke(FunctionName=world.deployed.orders_function, Payload=b"{}")
            state = call_global_process(layout, "GET", "/state")  # asks the region's process, with the run's secret
            with pytest.raises(RuntimeError, match="503"):
                call_global_process(layout, "POST", f"/links/{region.name}/writer/reset")
            heard = over()
        assert state["links"][region.name]["edge"]["strangers"] >= 3
        assert heard == {str(place): "" for place in (*places, control_address(region))}
    finally:
        call_global_process(layout, "POST", f"/regions/{region.name}/processes/region/restore")


@only_as_root
def test_a_link_that_refuses_and_a_lost_region_s_api_keep_their_addresses(world: Embedded) -> None:
    """The edge under a fault that refuses, the AWS API of a region that is lost: nobody else can listen there."""
    layout, region = world.layout, world.layout.standby
    rule = f"/links/{region.name}/edge/rules/refusing"
    call_global_process(layout, "PUT", rule, {"refuse": True})
    set_region(layout, region.name, False)
    try:
        for place in (region.edge, region.aws):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((place.host, place.port), timeout=5)
        with strangers_listen([region.edge, region.aws]) as over:
            assert over() == {}
    finally:
        set_region(layout, region.name, True)
        call_global_process(layout, "DELETE", rule)
    for place in (region.edge, region.aws):
        socket.create_connection((place.host, place.port), timeout=5).close()
