"""Stands in for the `aws` command where it is not installed: the one call that `up` prints, by the same botocore."""

from __future__ import annotations

import argparse
import json
import sys

import boto3

parser = argparse.ArgumentParser()
for flag in ("--region", "--endpoint-url"):
    parser.add_argument(flag, required=True)
parser.add_argument("service")
parser.add_argument("operation")
given = parser.parse_args()
client = boto3.client(given.service, region_name=given.region, endpoint_url=given.endpoint_url)
sys.stdout.write(json.dumps(getattr(client, given.operation.replace("-", "_"))(), default=str))
