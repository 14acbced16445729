"""A function's reserved concurrency is 0: AWS throttles every invocation.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html ("to throttle a function, set 0").
"""

from __future__ import annotations

from typing import ClassVar

from botocore.exceptions import ClientError

from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection, region_of
from infra_fixtures.fis.written import FisAction, Place
from infra_fixtures.safety.undo import AwsCall, Learn
from infra_fixtures.targets.parts import FunctionsPart, part_of
from infra_fixtures.targets.world import World


class LambdaThrottled(Fault, frozen=True):
    """Throttle a function wholly (empty: the order API's); healing gives back the reserved concurrency it had, or none."""

    parts: ClassVar[tuple[type, ...]] = (FunctionsPart,)
    region: str = PRIMARY
    function: str = ""

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """The function's reserved concurrency."""
        return (Harmed(self.region, f"function {self.function}"),)

    def in_fis(self, place: Place) -> FisAction:
        """FIS cannot throttle: every invocation is an error, and the function's code does not run either."""
        region, kind = place.region(self.region), "aws:lambda:function"
        arn = f"arn:aws:lambda:{region}:{place.account}:function:{self.function}"
        return FisAction(
            "aws:lambda:invocation-error",
            region,
            {"invocationPercentage": "100", "preventExecution": "true"},
            ("Functions", place.named(kind, arn) if self.function else place.tagged(kind)),
            differs="Invocations are errors and not throttled; the functions need the FIS extension and its bucket",
        )

    def prepare(self, world: World) -> Injection:
        """Read the reserved concurrency that the function has now."""
        region, function = region_of(world, self.region), self.function or part_of(world, FunctionsPart).orders
        client = world.client("lambda", region)
        before = client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
        undo = (
            AwsCall("lambda", region, "delete_function_concurrency", {"FunctionName": function})
            if before is None
            else AwsCall(
                "lambda",
                region,
                "put_function_concurrency",
                {"FunctionName": function, "ReservedConcurrentExecutions": before},
            )
        )

        def act(_learn: Learn) -> None:
            client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
            found = client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
            if found != 0:
                raise ClientError(
                    {"Error": {"Code": "NotEffective", "Message": f"reserved concurrency reads back as {found}"}},
                    "PutFunctionConcurrency",
                )

        return Injection(f"{region}/{function}", [undo], act)
