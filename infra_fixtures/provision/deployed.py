"""What provisioning made, as data: all that drills, probes, faults and the data plane need to find it again."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class DeployedRegion(msgspec.Struct, frozen=True):
    """One region's resources.

    `api_host` is the API's own execute-api name, `domain_target` what its custom domain's record leads to;
    `writer_host` and `reader_host` are the cluster's endpoints as they were when it became available.
    """

    name: str
    vpc_id: str
    public_subnets: tuple[str, ...]
    private_subnets: tuple[str, ...]
    database_group_id: str
    function_group_id: str
    endpoint_group_id: str
    public_acl_id: str
    private_acl_id: str
    kms_key_id: str
    kms_key_arn: str
    secret_arn: str
    bucket: str
    cluster_id: str
    cluster_arn: str
    instance_id: str
    writer_host: str
    reader_host: str
    database_port: int
    orders_arn: str
    api_id: str
    api_host: str
    domain_target: str
    health_check_id: str
    log_groups: tuple[str, ...]
    alarms: tuple[str, ...]


class Deployed(msgspec.Struct, frozen=True):
    """The system of one run. `api_key` is a secret of the run: it goes into no record."""

    run_id: str
    topology_digest: str
    api_name: str
    api_key: str
    stage: str
    zone_id: str
    record_name: str
    orders_function: str
    orders_alias: str
    controller_function: str
    canary_function: str
    canary_rule: str
    global_cluster_id: str
    database: str
    alarm_name: str
    topic_arn: str
    primary: str
    standby: str
    regions: Mapping[str, DeployedRegion]
    distribution: str = ""
    """CloudFront's name for the way in; empty where none is used."""
    reader_function: str = ""
    """The function that reads the database for the harness, in both regions; empty where there is none."""
