"""`python -m traffic.manifests ecs|kubernetes|chart`: what starts a drill's workers on machines that are none of ours.

Prints JSON, which kubectl, Helm and the AWS CLI all read. A worker is `python -m traffic.worker`; the master of the load and
the clock it goes by stay with the drill, wherever that runs. The token comes from a secret and is never printed.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from traffic.worker import TOKEN_VARIABLE

MOST_TASKS = 10
"""RunTask's limit of one call (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html)."""
FAMILY = "failover-drill-worker"
# A worker ends with each drill, and at once where none listens yet; the next drill of the run wants it again. A shell that
# is a container's first process heeds SIGTERM only where it is told to.
REJOINING = "trap exit TERM; while :; do python -m traffic.worker --master {master} & wait; sleep 1; done"
CPU, MEMORY_MIB = 1024, 2048
_IMAGE = re.compile(r"[\w][\w.\-/:]*(?:@sha256:[0-9a-f]{64})?")
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_MASTER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.\-]+):(\d{1,5})")
_SECRET_ARN = re.compile(r"arn:aws[\w-]*:(?:secretsmanager|ssm):[a-z0-9-]+:\d{12}:[\w/+=.@:*-]+")


@dataclass(frozen=True, slots=True)
class Workers:
    """How many of them, of which image, where the drill listens (HOST:PORT), where the token is kept, and for how long
    they may live (seconds) if nobody ends them."""

    count: int
    image: str
    master: str
    secret: str
    deadline_s: int = 3600

    @property
    def command(self) -> list[str]:
        """What a container runs; a shell's, so that what a chart appends to it is ignored."""
        return ["sh", "-c", REJOINING.format(master=self.master), "worker"]


def ecs(workers: Workers) -> dict[str, Any]:
    """`register_task_definition` and the `run_task` calls that start them on Fargate, to be given to the AWS CLI
    (`--cli-input-json`). Cluster, subnets, security group and roles are the account's own: placeholders in capitals.

    Fargate's pairs of CPU and memory:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html; a secret as a variable:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    container = {
        "name": "worker",
        "image": workers.image,
        "essential": True,
        "command": ["timeout", str(workers.deadline_s), *workers.command],
        "secrets": [{"name": TOKEN_VARIABLE, "valueFrom": workers.secret}],
        # A worker's 1,000 connections are as many descriptors.
        "ulimits": [{"name": "nofile", "softLimit": 65_536, "hardLimit": 65_536}],
    }
    definition = {
        "family": FAMILY,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(CPU),
        "memory": str(MEMORY_MIB),
        "executionRoleArn": "arn:aws:iam::ACCOUNT:role/EXECUTION-ROLE-THAT-READS-THE-SECRET",
        "containerDefinitions": [container],
    }
    network = {"subnets": ["SUBNET"], "securityGroups": ["SECURITY-GROUP"], "assignPublicIp": "DISABLED"}
    runs = [
        {
            "cluster": "CLUSTER",
            "taskDefinition": FAMILY,
            "launchType": "FARGATE",
            "count": min(MOST_TASKS, workers.count - begun),
            "networkConfiguration": {"awsvpcConfiguration": network},
        }
        for begun in range(0, workers.count, MOST_TASKS)
    ]
    return {"register_task_definition": definition, "run_task": runs}


def kubernetes(workers: Workers) -> dict[str, Any]:
    """A Job with so many pods at once, ended by its deadline and removed afterwards.

    https://kubernetes.io/docs/concepts/workloads/controllers/job/
    """
    container = {
        "name": "worker",
        "image": workers.image,
        "command": workers.command,
        "env": [
            {"name": TOKEN_VARIABLE, "valueFrom": {"secretKeyRef": {"name": workers.secret, "key": TOKEN_VARIABLE}}}
        ],
        "resources": {
            "requests": {"cpu": f"{CPU}m", "memory": f"{MEMORY_MIB}Mi"},
            "limits": {"memory": f"{MEMORY_MIB}Mi"},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 65_534},
    }
    # Two workers of one node would share its cores, and lateness of the one would be the other's.
    apart = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    labels = {"app.kubernetes.io/name": FAMILY}
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "topologySpreadConstraints": [{**apart, "labelSelector": {"matchLabels": labels}}],
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": FAMILY, "labels": labels},
        "spec": {
            "parallelism": workers.count,
            "completions": workers.count,
            "activeDeadlineSeconds": workers.deadline_s,
            "ttlSecondsAfterFinished": 600,
            "backoffLimit": 0,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def chart(workers: Workers) -> dict[str, Any]:
    """Values of Locust's community chart (deliveryhero/locust): its workers, and no master of its own.

    The chart appends `--worker` to the command. Locust's operator (LocustTest) makes a master with every test and cannot
    leave it away, so that a drill, which is its load's own master, cannot use it.
    """
    name, _, tag = workers.image.rpartition(":")
    return {
        "image": {"repository": name, "tag": tag},
        "master": {"replicas": 0},
        "loadtest": {
            "locust_locustfile_configmap": "",
            "locust_lib_configmap": "",
            "environment_external_secret": {workers.secret: [TOKEN_VARIABLE]},
        },
        "worker": {
            "replicas": workers.count,
            "command": workers.command,
            "envs_include_default": False,
            "hpa": {"enabled": False},
            "resources": {"requests": {"cpu": f"{CPU}m", "memory": f"{MEMORY_MIB}Mi"}},
        },
    }


KINDS: Mapping[str, Callable[[Workers], dict[str, Any]]] = {"ecs": ecs, "kubernetes": kubernetes, "chart": chart}


def mistake(kind: str, workers: Workers) -> str | None:
    """What is wrong with them, in a sentence, or None."""
    master = _MASTER.fullmatch(workers.master)
    if workers.count < 1:
        return f"--workers {workers.count} is none: give how many --workers-elsewhere the drill waits for"
    if master is None or not 0 < int(master[2]) < 65_535:
        return f"--master {workers.master} is not of the form HOST:PORT: give what the drill's --workers-at says"
    if not _IMAGE.fullmatch(workers.image):
        return f"--image {workers.image} is no name of an image: build deploy/Dockerfile and give what you pushed"
    if kind == "chart" and (":" not in workers.image.rpartition("/")[2] or "@" in workers.image):
        return f"--image {workers.image} has no tag, which the chart wants: give NAME:TAG"
    if kind == "ecs" and not _SECRET_ARN.fullmatch(workers.secret):
        return f"--secret {workers.secret} is no ARN of a secret or a parameter: give the one that holds the token"
    if kind != "ecs" and not _NAME.fullmatch(workers.secret):
        return (
            f"--secret {workers.secret} is no name of a Kubernetes secret: give the one whose key {TOKEN_VARIABLE} is"
        )
    if workers.deadline_s < 60:
        return f"--deadline {workers.deadline_s} is shorter than a drill: give seconds, 60 or more"
    return None


def main(arguments: list[str] | None = None) -> None:
    """Print one of them; ends with status 2 and one line where what was given is unusable."""
    parser = argparse.ArgumentParser(
        prog="python -m traffic.manifests",
        description="Print what starts a drill's load workers elsewhere (docs/load-elsewhere.md).",
    )
    parser.add_argument("kind", choices=KINDS, help="ecs: Fargate tasks; kubernetes: a Job; chart: Locust's Helm chart")
    parser.add_argument("--workers", type=int, required=True, help="how many, as --workers-elsewhere says")
    parser.add_argument("--master", required=True, metavar="HOST:PORT", help="where the drill listens (--workers-at)")
    parser.add_argument("--image", required=True, help="an image of deploy/Dockerfile")
    parser.add_argument(
        "--secret", required=True, help=f"what holds {TOKEN_VARIABLE}: a secret's name; for ecs its ARN"
    )
    parser.add_argument("--deadline", type=int, default=3600, help="seconds after which they end by themselves (3600)")
    told = parser.parse_args(arguments)
    workers = Workers(told.workers, told.image, told.master, told.secret, told.deadline)
    if wrong := mistake(told.kind, workers):
        parser.exit(2, f"{wrong}\n")
    print(json.dumps(KINDS[told.kind](workers), indent=2))  # noqa: T201 - it is what the command is for


if __name__ == "__main__":
    main()
