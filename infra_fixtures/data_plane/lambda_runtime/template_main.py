"""What a region's workers are forked from: a Python that sees only what Lambda would offer, with AWS's SDK imported.

Run by path as `python -I -S template_main.py PARENT_PID RUNTIME_DIR SOCKET UID`; it may import nothing of this project.
Workers run as user UID ("-": as this process). The socket (SOCK_SEQPACKET) brings requests, each with the file that takes
the worker's output, and takes what becomes of them:

request   {"id", "handler", "cwd", "env", "data_bytes"}
answers   {"id", "started": pid}, then {"id", "ended": exit status, negative for a signal}; or {"id", "failed": why}

It dies with its parent and its workers with it, however that ends (prctl PR_SET_PDEATHSIG).
"""

import ctypes
import gc
import importlib.util
import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
MOST_BYTES = 1 << 20
READ_OF_SDK = ("endpoints", "partitions", "sdk-default-configuration", "_retry")
SERVICES = ("s3", "secretsmanager", "cloudwatch")
"""Those that functions call before or while they serve."""
SDK = {"boto3", "botocore", "jmespath", "s3transfer", "urllib3"}
Request = dict[str, Any]
prctl = ctypes.CDLL(None).prctl


def main() -> None:
    """Prepare once; then, in each worker forked, hand over to AWS's runtime interface client."""
    parent, runtime_dir, descriptor = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    uid = None if sys.argv[4] == "-" else int(sys.argv[4])
    die_with(parent)
    template, confinement = os.getpid(), load_sibling("confinement")
    if uid is not None:
        runtime_dir = confinement.bring_within_reach(uid, runtime_dir)
    sys.path.insert(0, str(runtime_dir))
    prepare()
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=descriptor))
    if request is not None:
        confinement.confine(uid, request["data_bytes"])
        die_with(template)
        request["env"]["LAMBDA_RUNTIME_DIR"] = str(runtime_dir)
        run(request)


def prepare() -> None:
    """Import what every worker will, and read of AWS's SDK what making a client reads.

    Neither credentials nor a region are resolved: those are each worker's own.
    """
    import boto3
    import botocore.session
    import simplejson  # type: ignore[import-untyped]  # noqa: F401

    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    for name in READ_OF_SDK:
        loader.load_data(name)
    for service in SERVICES:
        for kind in ("service-2", "endpoint-rule-set-1"):
            loader.load_service_model(service, kind)
    boto3.setup_default_session(botocore_session=session)


def load_sibling(name: str) -> Any:
    """A module that lies beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def die_with(parent: int) -> None:
    """Bind this life to the parent's."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def serve(channel: socket.socket) -> Request | None:
    """Fork what is asked for until the other end closes, then return None; in every worker forked, return its request."""
    told, teller = os.pipe()
    for end in (told, teller):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(teller)
    template = os.getpid()
    ids: dict[int, int] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(channel, selectors.EVENT_READ)
        ready.register(told, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not channel:
                    os.read(told, 4096)
                    report_ended(channel, ids)
                    continue
                message, files, _, _ = socket.recv_fds(channel, MOST_BYTES, 1)
                if not message:
                    return None
                request: Request = json.loads(message)
                try:
                    pid = os.fork()
                except OSError as e:
                    say(channel, id=request["id"], failed=str(e))
                    os.close(files[0])
                    continue
                if pid:
                    ids[pid] = request["id"]
                    os.close(files[0])
                    continue
                die_with(template)
                # by the worker itself, so that it is known to run before anything can be heard of it
                say(channel, id=request["id"], started=os.getpid())
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (told, teller):
                    os.close(descriptor)
                channel.close()
                for standard in (1, 2):
                    os.dup2(files[0], standard)
                os.close(files[0])
                return request


def report_ended(channel: socket.socket, ids: dict[int, int]) -> None:
    """Tell of every worker that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        say(channel, id=ids.pop(pid), ended=os.waitstatus_to_exitcode(status))


def say(channel: socket.socket, **what: object) -> None:
    """Send one answer."""
    channel.send(json.dumps(what).encode())


def run(request: Request) -> None:
    """Lay out this process as Lambda does and let awslambdaric serve."""
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    forget_what_it_brings(Path(os.environ["LAMBDA_TASK_ROOT"]), Path(os.environ["LAMBDA_RUNTIME_DIR"]))
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    sys.argv = ["bootstrap", request["handler"]]
    prctl(PR_SET_NAME, os.environ["AWS_LAMBDA_FUNCTION_NAME"].encode())

    # Not in the template: it reads the environment when it is imported.
    from awslambdaric.__main__ import main as serve_invocations

    serve_invocations(sys.argv)


def forget_what_it_brings(task_root: Path, runtime_dir: Path) -> None:
    """A function's own copy of a package goes before the runtime's, imported or not; of the SDK it is then all or nothing."""
    imported = {name.partition(".")[0] for name in sys.modules}
    own = {
        ours.stem
        for ours in runtime_dir.iterdir()
        if ours.stem in imported and (theirs := task_root / ours.name).exists() and code_of(theirs) != code_of(ours)
    }
    if own & SDK:
        own |= SDK
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]


def code_of(package: Path) -> dict[str, bytes]:
    """The source of a package or module, by file."""
    if package.is_file():
        return {package.name: package.read_bytes()}
    return {str(file.relative_to(package)): file.read_bytes() for file in package.rglob("*.py")}


if __name__ == "__main__":
    main()
