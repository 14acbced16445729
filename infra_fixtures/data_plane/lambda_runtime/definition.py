"""A function as the Lambda API describes it: what is read of it, and from where."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """One version of a function: everything its workers depend on, so two equal ones may share workers."""

    name: str
    version: str
    arn: str
    role: str
    runtime: str
    handler: str
    timeout_s: float
    memory_mb: int
    environment: Mapping[str, str]
    code_sha256: str
    log_group: str
    subnets: tuple[str, ...] = ()
    """Those of its VpcConfig; none: it is in no VPC."""
    layers: tuple[str, ...] = ()
    """The ARNs of its layers' versions; none is unpacked, of FIS's extension the effect is modelled."""

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> FunctionDefinition:
        """From a FunctionConfiguration of the Lambda API."""
        name = configuration["FunctionName"]
        return cls(
            name=name,
            version=configuration.get("Version") or LATEST,
            arn=configuration["FunctionArn"],
            role=configuration["Role"],
            runtime=configuration.get("Runtime") or "python3.11",
            handler=configuration["Handler"],
            timeout_s=float(configuration.get("Timeout") or 3),
            memory_mb=int(configuration.get("MemorySize") or 128),
            environment=dict(configuration.get("Environment", {}).get("Variables", {})),
            code_sha256=configuration["CodeSha256"],
            log_group=configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}",
            subnets=tuple((configuration.get("VpcConfig") or {}).get("SubnetIds") or ()),
            layers=tuple(layer["Arn"] for layer in configuration.get("Layers") or ()),
        )


@dataclass(frozen=True, slots=True)
class Retries:
    """How asynchronous invocations of a function are tried again (EventInvokeConfig; AWS's defaults)."""

    attempts: int = 2
    most_age_s: float = 6 * 3600.0


@functools.lru_cache(maxsize=4096)
def split_name(function: str, qualifier: str | None = None) -> tuple[str, str]:
    """(name, qualifier) of what callers call a function: a name, name:qualifier, a partial or a full ARN."""
    parts = function.split(":")
    if "function" in parts:
        parts = parts[parts.index("function") + 1 :]
    name = parts[0]
    return name, qualifier or (parts[1] if len(parts) > 1 else LATEST)


def read_reserved(client: Any, name: str) -> int | None:
    """The function's reserved concurrency; None where it has none."""
    value = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    return None if value is None else int(value)


def read_provisioned(client: Any, name: str) -> dict[str, int]:
    """Provisioned concurrency by qualifier (alias or version); none where the control plane knows of none."""
    with contextlib.suppress(ClientError):
        found = client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
        return {
            split_name(c["FunctionArn"])[1]: int(c["RequestedProvisionedConcurrentExecutions"])
            for c in found
            if c.get("FunctionArn")
        }
    return {}


def read_aliases(client: Any, name: str) -> dict[str, str]:
    """The version each alias points at."""
    return {a["Name"]: a["FunctionVersion"] for a in client.list_aliases(FunctionName=name)["Aliases"]}


def read_retries(client: Any, name: str) -> Retries:
    """The function's EventInvokeConfig, or AWS's defaults."""
    with contextlib.suppress(ClientError):
        said = client.get_function_event_invoke_config(FunctionName=name)
        return Retries(
            attempts=int(said.get("MaximumRetryAttempts", 2)),
            most_age_s=float(said.get("MaximumEventAgeInSeconds", 6 * 3600)),
        )
    return Retries()


def read_policy(client: Any, name: str, aliases: Iterable[str] = ()) -> tuple[Mapping[str, Any], ...]:
    """The statements of the function's resource policy and of its aliases' (AWS keeps them apart, here they are one)."""
    found: list[Mapping[str, Any]] = []
    for qualifier in ({}, *({"Qualifier": a} for a in aliases)):
        with contextlib.suppress(ClientError):
            said = json.loads(client.get_policy(FunctionName=name, **qualifier)["Policy"])["Statement"]
            found.extend(s for s in said if s not in found)
    return tuple(found)


def permits(statements: tuple[Mapping[str, Any], ...], principal: str, source_arn: str) -> bool:
    """Whether a resource policy lets an AWS service invoke the function for `source_arn`.

    What AddPermission writes is understood: a service principal, an ArnLike or StringEquals on aws:SourceArn.
    """
    allowed = False
    for s in statements:
        who = s.get("Principal")
        who = who.get("Service") if isinstance(who, Mapping) else who
        if who not in (principal, "*") or s.get("Action") not in ("lambda:InvokeFunction", "lambda:*", "*"):
            continue
        if not _source_matches(s.get("Condition") or {}, source_arn):
            continue
        if s.get("Effect") == "Deny":
            return False
        allowed = True
    return allowed


def _source_matches(condition: Mapping[str, Mapping[str, Any]], source_arn: str) -> bool:
    for operator, tests in condition.items():
        for key, wanted in tests.items():
            if key.lower() != "aws:sourcearn":
                continue
            patterns = wanted if isinstance(wanted, list) else [wanted]
            if operator.startswith("StringEquals"):
                if source_arn not in patterns:
                    return False
            elif not any(fnmatchcase(source_arn, p) for p in patterns):
                return False
    return True
