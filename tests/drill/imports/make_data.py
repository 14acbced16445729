"""Make the files of tests/drill/imports/data anew with the real tools: `python -m tests.drill.imports.make_data DIR [TOOL...]`.

Each tool drives a server of one known outage (outage_server.py) on 127.0.0.1 and its file is kept, packed, with the truth
beside it. A tool that is not on PATH is left out. The files here were made by k6 1.1.0, JMeter 2.13 (of Debian 12), Locust
2.47.0 and vegeta 12.13 (its sources of February 2026, built without its Prometheus exporter); Gatling's by gatling_log.py, for it
cannot be had from the package registries.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
UP_S, DOWN_S, AFTER_S = 6.0, 4.0, 8.0
JAVA_UP_S = UP_S + 5.0
"""JMeter needs so long to start."""
LASTS_S = UP_S + DOWN_S + AFTER_S - 1.0
RATE = 40
CLIENTS = 4
STARVED = "k6-starved.json"
"""Of a load that had too few clients to keep its rate, and says so."""
K6_OPEN = """
import http from 'k6/http';
export const options = { noConnectionReuse: %(fresh)s, scenarios: { orders: {
  executor: 'constant-arrival-rate', rate: %(rate)d, timeUnit: '1s',
  duration: '%(lasts)ds', preAllocatedVUs: %(vus)d } } };
export default function () { http.%(call)s('http://127.0.0.1:%(port)d/orders', %(body)s); }
"""
K6_CLOSED = """
import http from 'k6/http';
import { sleep } from 'k6';
export const options = { vus: %(clients)d, duration: '%(lasts)ds' };
export default function () { http.get('http://127.0.0.1:%(port)d/orders', { timeout: '1500ms' }); sleep(0.1); }
"""
LOCUST = """
from locust import HttpUser, constant, events, task
from locust.contrib.csv_request_logger import CsvRequestLogger

@events.init.add_listener
def log_requests(environment, **_):
    CsvRequestLogger("requests.csv").register(environment)

class Buyer(HttpUser):
    wait_time = constant(0.1)

    @task(3)
    def read(self):
        self.client.get("/orders")

    @task(1)
    def write(self):
        self.client.post("/orders", data="one")
"""
JMETER = """<?xml version="1.0" encoding="UTF-8"?>
<jmeterTestPlan version="1.2" properties="2.8" jmeter="2.13"><hashTree>
<TestPlan guiclass="TestPlanGui" testclass="TestPlan" testname="plan" enabled="true"/><hashTree>
<ThreadGroup guiclass="ThreadGroupGui" testclass="ThreadGroup" testname="Buyers" enabled="true">
<elementProp name="ThreadGroup.main_controller" elementType="LoopController" guiclass="LoopControlPanel"
 testclass="LoopController" enabled="true">
<boolProp name="LoopController.continue_forever">false</boolProp><intProp name="LoopController.loops">-1</intProp></elementProp>
<stringProp name="ThreadGroup.num_threads">%(clients)d</stringProp><stringProp name="ThreadGroup.ramp_time">0</stringProp>
<boolProp name="ThreadGroup.scheduler">true</boolProp><stringProp name="ThreadGroup.duration">%(lasts)d</stringProp>
<stringProp name="ThreadGroup.on_sample_error">continue</stringProp></ThreadGroup><hashTree>
<ConstantTimer guiclass="ConstantTimerGui" testclass="ConstantTimer" testname="pause" enabled="true">
<stringProp name="ConstantTimer.delay">100</stringProp></ConstantTimer><hashTree/>
<TransactionController guiclass="TransactionControllerGui" testclass="TransactionController" testname="buy" enabled="true">
<boolProp name="TransactionController.parent">%(nested)s</boolProp></TransactionController><hashTree>
<HTTPSamplerProxy guiclass="HttpTestSampleGui" testclass="HTTPSamplerProxy" testname="GET orders" enabled="true">
<elementProp name="HTTPsampler.Arguments" elementType="Arguments"><collectionProp name="Arguments.arguments"/></elementProp>
<stringProp name="HTTPSampler.domain">127.0.0.1</stringProp><stringProp name="HTTPSampler.port">%(port)d</stringProp>
<stringProp name="HTTPSampler.path">/orders</stringProp><stringProp name="HTTPSampler.method">GET</stringProp>
<stringProp name="HTTPSampler.implementation">Java</stringProp>
<boolProp name="HTTPSampler.use_keepalive">true</boolProp><stringProp name="HTTPSampler.connect_timeout">1000</stringProp>
<stringProp name="HTTPSampler.response_timeout">1500</stringProp></HTTPSamplerProxy><hashTree/>
</hashTree></hashTree></hashTree></hashTree></jmeterTestPlan>
"""


@dataclass(frozen=True, slots=True)
class Case:
    """How a tool is run in its own directory: its files, what it needs on PATH, how the service is down, the command."""

    tool: str
    how: str
    files: Mapping[str, str]
    command: Callable[[int], list[str]]
    result: str
    then: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    up_s: float = UP_S


def k6(script: str, result: str, **more: str) -> list[str]:
    """k6 without its report of usage to its makers."""
    kind = "csv" if result.endswith(".csv") else "json"
    return ["k6", "run", "--quiet", "--no-usage-report", "--out", f"{kind}={result}", script]


def locust(port: int) -> list[str]:
    """Locust as a person runs it, with its aggregated files beside the request log."""
    return [
        sys.executable, "-m", "locust", "-f", "locustfile.py", "--headless", "--host", f"http://127.0.0.1:{port}",
        "-u", str(CLIENTS), "-r", "100", "-t", f"{LASTS_S:.0f}s", "--csv", "stats", "--csv-full-history", "--skip-log",
    ]  # fmt: skip


def jmeter(result: str, kind: str) -> list[str]:
    """JMeter without its window."""
    fields = ["thread_counts=true", "print_field_names=true", "assertion_results_failure_message=true"]
    saved = [f"-Jjmeter.save.saveservice.{field}" for field in (f"output_format={kind}", *fields)]
    return [*start_jmeter(), "-n", "-t", "plan.jmx", "-l", result, *saved]


def start_jmeter() -> list[str]:
    """Debian's own start script cannot read a test plan (DebianJMeter.java says why)."""
    home = Path("/usr/share/jmeter")
    if not (home / "bin" / "ApacheJMeter.jar").exists():
        return ["jmeter"]
    jars = (home / "bin" / "ApacheJMeter.jar", home / "lib/*", home / "lib/ext/*", "/usr/share/java/*")
    return ["java", f"-Djmeter.home={home}", "-cp", ":".join(map(str, jars)), str(HERE / "DebianJMeter.java")]


def vegeta(result: str) -> list[str]:
    """An attack at a constant rate, and its results as text."""
    attack = (
        f"vegeta attack -rate={RATE} -duration={LASTS_S:.0f}s -timeout=1500ms -targets=targets.txt -output=results.bin"
    )
    form = "csv" if result.endswith(".csv") else "json"
    return ["sh", "-c", f"{attack} && vegeta encode --to {form} results.bin > {result}"]


def gatling(port: int) -> list[str]:
    """A stand-in that writes Gatling's lines."""
    return [sys.executable, str(HERE / "gatling_log.py"), str(port), str(LASTS_S), "simulation.log"]


def fill(template: str, port: int, **more: object) -> str:
    """A script for that port."""
    return template % {"port": port, "rate": RATE, "lasts": LASTS_S, "clients": CLIENTS, "vus": 200, **more}


def cases(port: int) -> dict[str, Case]:
    """By the name of the file that is kept."""
    write = fill(K6_OPEN, port, call="post", body="'one', { timeout: '1500ms' }", fresh="true")
    fresh = fill(K6_OPEN, port, call="get", body="{ timeout: '1500ms' }", fresh="true")
    read = fill(K6_OPEN, port, call="get", body="{ timeout: '1500ms' }", fresh="false")
    few = fill(K6_OPEN, port, call="get", body="{ timeout: '1500ms' }", fresh="false", vus=CLIENTS)
    target = {"targets.txt": f"GET http://127.0.0.1:{port}/orders\n"}
    plan = {"plan.jmx": fill(JMETER, port, nested="false", lasts=LASTS_S + 3)}
    nested = {"plan.jmx": fill(JMETER, port, nested="true", lasts=LASTS_S + 3)}
    nano = {"K6_CSV_TIME_FORMAT": "unix_nano"}
    return {
        "k6-open.json": Case("k6", "refuse", {"x.js": write}, lambda _: k6("x.js", "r.json"), "r.json"),
        "k6-closed.json": Case("k6", "hang", {"x.js": fill(K6_CLOSED, port)}, lambda _: k6("x.js", "r.json"), "r.json"),
        "k6-blackhole.json": Case("k6", "blackhole", {"x.js": fresh}, lambda _: k6("x.js", "r.json"), "r.json"),
        STARVED: Case("k6", "hang", {"x.js": few}, lambda _: k6("x.js", "r.json"), "r.json"),
        "k6-open-seconds.csv": Case("k6", "503", {"x.js": read}, lambda _: k6("x.js", "r.csv"), "r.csv"),
        "k6-open-nano.csv": Case("k6", "hang", {"x.js": read}, lambda _: k6("x.js", "r.csv"), "r.csv", (), nano),
        "locust.csv": Case(
            "locust", "503", {"locustfile.py": LOCUST}, locust, "requests.csv", ("stats_stats_history.csv",)
        ),
        "jmeter.csv": Case("jmeter", "hang", plan, lambda _: jmeter("r.jtl", "csv"), "r.jtl", up_s=JAVA_UP_S),
        "jmeter.xml": Case("jmeter", "503", nested, lambda _: jmeter("r.jtl", "xml"), "r.jtl", up_s=JAVA_UP_S),
        "vegeta.json": Case("vegeta", "hang", target, lambda _: vegeta("r.json"), "r.json", ("results.bin",)),
        "gatling.log": Case("gatling", "503", {}, gatling, "simulation.log"),
        "vegeta.csv": Case("vegeta", "refuse", target, lambda _: vegeta("r.csv"), "r.csv"),
    }


def is_there(tool: str) -> bool:
    """Whether the tool can be run here; Locust comes with this harness, Gatling is gatling_log.py."""
    return tool in ("locust", "gatling") or shutil.which(tool) is not None


def make(name: str, case: Case, port: int, target: Path) -> None:
    """Run the tool against the outage and keep its file; raises what the run of either raises."""
    with tempfile.TemporaryDirectory() as folder:
        for file, content in case.files.items():
            (Path(folder) / file).write_text(content, encoding="utf-8")
        command = [sys.executable, str(HERE / "outage_server.py"), str(port), str(case.up_s), str(DOWN_S), case.how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                wait_for(port)
                environment = os.environ | dict(case.environment or {})
                subprocess.run(
                    case.command(port), cwd=folder, env=environment, timeout=90, check=False,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                assert server.stdout is not None
                truth = json.loads(server.stdout.readline())
            finally:
                server.kill()
        keep(Path(folder) / case.result, target / f"{name}.gz")
        for other in case.then:
            keep(Path(folder) / other, target / f"{name.partition('.')[0]}-{other}.gz")
    (target / f"{name}.truth.json").write_text(json.dumps(truth) + "\n", encoding="utf-8")


def keep(source: Path, target: Path) -> None:
    """Packed, without a time of its own."""
    target.write_bytes(gzip.compress(source.read_bytes(), mtime=0))


def wait_for(port: int) -> None:
    """Until the server listens."""
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def free_port() -> int:
    """One that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main(target: Path, tools: list[str]) -> None:
    """Make those of the tools that are there."""
    target.mkdir(parents=True, exist_ok=True)
    for name in cases(0):
        port = free_port()
        case = cases(port)[name]
        if is_there(case.tool) and (not tools or case.tool in tools):
            make(name, case, port, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
