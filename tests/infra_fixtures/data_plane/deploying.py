"""Deploying a function for a test: a zip with one module, by the AWS API alone."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

ROLE = "function"

HANDLER = """
import json, os, time

print("initialised")
calls = 0

def handler(event, context):
    global calls
    calls += 1
    if "sleep" in event:
        time.sleep(event["sleep"])
    if "print" in event:
        print(event["print"])
    if "raise" in event:
        raise ValueError(event["raise"])
    if "exit" in event:
        os._exit(event["exit"])
    if "import" in event:
        return __import__(event["import"]).__name__
    if "environment" in event:
        return dict(os.environ)
    if "append" in event:
        with open(event["append"], "a") as f:
            f.write("x")
        if "fail" in event:
            raise RuntimeError("again")
    return {"echo": event, "calls": calls, "pid": os.getpid(), "answer": os.environ.get("ANSWER"),
            "left_ms": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn}
"""


def zipped(source: str) -> bytes:
    """A zip whose app.py is `source`."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("app.py", source)
    return archive.getvalue()


def deploy(make: Any, name: str, source: str = HANDLER, region: str = "us-east-1", **settings: Any) -> str:
    """Create the function `name` (and its role, where there is none) and give its ARN; `make` makes boto3 clients."""
    iam = make("iam", region)
    try:
        role = iam.get_role(RoleName=ROLE)["Role"]["Arn"]
    except iam.exceptions.NoSuchEntityException:
        policy = {"Version": "2012-10-17", "Statement": []}
        role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(policy))["Role"]["Arn"]
    options = {"Timeout": 3, "Runtime": "python3.11", **settings}
    made = make("lambda", region).create_function(
        FunctionName=name, Role=role, Handler="app.handler", Code={"ZipFile": zipped(source)}, **options
    )
    return str(made["FunctionArn"])
