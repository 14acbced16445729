"""A function's reserved concurrency is 0: AWS throttles every invocation.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html ("to throttle a function, set 0").
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from infra_fixtures.faults.fault import Fault, injected
from infra_fixtures.safety.journal import AwsCall, Undo
from infra_fixtures.targets.world import World


def lambda_throttled(world: World, region: str, function: str) -> Fault:
    """Throttle `function` in `region` wholly; healing gives back the reserved concurrency it had, or none."""
    client = world.client("lambda", region)
    before = client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
    undo: Undo
    if before is None:
        undo = AwsCall("lambda", region, "delete_function_concurrency", {"FunctionName": function})
    else:
        undo = AwsCall(
            "lambda",
            region,
            "put_function_concurrency",
            {"FunctionName": function, "ReservedConcurrentExecutions": before},
        )

    def inject() -> None:
        client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
        found = client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
        if found != 0:
            raise ClientError(
                {"Error": {"Code": "NotEffective", "Message": f"reserved concurrency reads back as {found}"}},
                "PutFunctionConcurrency",
            )

    return injected(world, "lambda_throttled", f"{region}/{function}", undo=[undo], inject=inject)
