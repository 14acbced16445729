"""What stands after provisioning, read back from the AWS API."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from drill.unusable import UnusableInput
from infra_fixtures.provision import Clients, Deployed, provision
from infra_fixtures.provision.naming import Names
from infra_fixtures.topology import Topology
from tests.infra_fixtures.provision.inventory import REGIONS, everything

UNBOUNDED = {"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"} | {
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
    "cloudwatch:PutMetricData",
}
"""The only actions that may hold for every resource: AWS knows no resource for them."""


def test_is_data(deployed: Deployed, topology: Topology) -> None:
    """What was made goes through JSON unchanged and says which architecture it is."""
    assert msgspec.json.decode(msgspec.json.encode(deployed), type=Deployed) == deployed
    assert deployed.topology_digest == topology.digest()


def test_second_time_changes_nothing(clients: Clients, deployed: Deployed, topology: Topology) -> None:
    """Provisioning again finds everything and makes nothing."""
    before = everything(clients, "run-a")
    assert provision(clients, topology, "run-a") == deployed
    assert everything(clients, "run-a") == before


def test_security_groups_are_as_named(clients: Clients, deployed: Deployed) -> None:
    """RDS: in 5432 from the functions only, out all; functions: in nothing, out 5432 to RDS and 443 to anywhere."""
    for region, made in deployed.regions.items():
        ec2 = clients.client("ec2", region)
        ids = [made.database_group_id, made.function_group_id]
        database, function = (ec2.describe_security_groups(GroupIds=[g])["SecurityGroups"][0] for g in ids)
        assert _rules(database["IpPermissions"]) == {("tcp", 5432, made.function_group_id)}
        assert _rules(database["IpPermissionsEgress"]) == {("-1", None, "0.0.0.0/0")}
        assert _rules(function["IpPermissions"]) == set()
        assert _rules(function["IpPermissionsEgress"]) == {
            ("tcp", 5432, made.database_group_id),
            ("tcp", 443, "0.0.0.0/0"),
        }


def test_a_lost_rule_comes_back(clients: Clients, deployed: Deployed, topology: Topology) -> None:
    """A rule revoked, and one that was never planned, are both set right by provisioning again."""
    made = deployed.regions["us-east-1"]
    ec2 = clients.client("ec2", "us-east-1")
    group = {"GroupId": made.database_group_id}
    planned = ec2.describe_security_groups(GroupIds=[made.database_group_id])["SecurityGroups"][0]["IpPermissions"]
    foreign = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    ec2.revoke_security_group_ingress(
        **group, IpPermissions=[{**rule, "UserIdGroupPairs": [{"GroupId": made.function_group_id}]}]
    )
    ec2.authorize_security_group_ingress(**group, IpPermissions=[foreign])
    provision(clients, topology, "run-a")
    now = ec2.describe_security_groups(GroupIds=[made.database_group_id])["SecurityGroups"][0]["IpPermissions"]
    assert _rules(now) == _rules(planned) == {("tcp", 5432, made.function_group_id)}


def test_private_subnets_have_no_way_out(clients: Clients, deployed: Deployed) -> None:
    """Each region: public and private subnets in two zones; only the public ones lead to the internet gateway."""
    for region, made in deployed.regions.items():
        ec2 = clients.client("ec2", region)
        for subnets, leads_out in ((made.public_subnets, True), (made.private_subnets, False)):
            described = ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
            assert len({s["AvailabilityZone"] for s in described}) == 2
            tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": list(subnets)}])
            routes = [r for t in tables["RouteTables"] for r in t["Routes"]]
            assert any(str(r.get("GatewayId")).startswith("igw-") for r in routes) is leads_out
            acl = made.public_acl_id if leads_out else made.private_acl_id
            existing = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Associations"]
            assert {a["SubnetId"] for a in existing} == set(subnets)


def test_the_standby_mirrors_the_primary(clients: Clients, deployed: Deployed) -> None:
    """Same addresses and the same rules in both regions; only the capacity is less."""
    shapes, reserved = [], []
    for region, made in deployed.regions.items():
        ec2 = clients.client("ec2", region)
        subnets = ec2.describe_subnets(SubnetIds=[*made.public_subnets, *made.private_subnets])["Subnets"]
        acls = ec2.describe_network_acls(NetworkAclIds=[made.public_acl_id, made.private_acl_id])["NetworkAcls"]
        entries = sorted(json.dumps(e, sort_keys=True) for a in acls for e in a["Entries"])
        shapes.append((sorted(s["CidrBlock"] for s in subnets), entries))
        concurrency = clients.client("lambda", region).get_function_concurrency(FunctionName=deployed.orders_function)
        reserved.append(concurrency["ReservedConcurrentExecutions"])
    assert shapes[0] == shapes[1]
    assert reserved[0] > reserved[1] > 0


def test_everything_at_rest_is_encrypted(clients: Clients, deployed: Deployed) -> None:
    """Clusters, buckets and the secret are under the key of their own region."""
    for region, made in deployed.regions.items():
        cluster = clients.client("rds", region).describe_db_clusters(DBClusterIdentifier=made.cluster_id)["DBClusters"][
            0
        ]
        assert (cluster["StorageEncrypted"], cluster["KmsKeyId"]) == (True, made.kms_key_arn)
        rules = clients.client("s3", region).get_bucket_encryption(Bucket=made.bucket)
        default = rules["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
        assert default == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": made.kms_key_arn}
    home, replica = (deployed.regions[r] for r in (deployed.primary, deployed.standby))
    secret = clients.client("secretsmanager", deployed.primary).describe_secret(SecretId=home.secret_arn)
    assert secret["KmsKeyId"] == home.kms_key_arn
    assert [r["KmsKeyId"] for r in secret["ReplicationStatus"]] == [replica.kms_key_arn]


def test_the_database_is_global(clients: Clients, deployed: Deployed) -> None:
    """One global cluster: the primary's cluster writes, the standby's follows, one instance each."""
    rds = clients.client("rds", deployed.standby)
    found = rds.describe_global_clusters(GlobalClusterIdentifier=deployed.global_cluster_id)["GlobalClusters"][0]
    roles = {m["DBClusterArn"]: m["IsWriter"] for m in found["GlobalClusterMembers"]}
    assert roles == {
        deployed.regions[deployed.primary].cluster_arn: True,
        deployed.regions[deployed.standby].cluster_arn: False,
    }


def test_both_regions_know_the_same_user(clients: Clients, deployed: Deployed) -> None:
    """The standby's functions read the same user and password from their own region."""
    said = [
        clients.client("secretsmanager", r).get_secret_value(SecretId=deployed.regions[r].secret_arn)["SecretString"]
        for r in REGIONS
    ]
    assert said[0] == said[1]
    assert set(json.loads(said[0])) == {"username", "password"}


def test_objects_are_replicated(clients: Clients, deployed: Deployed) -> None:
    """The primary's bucket replicates everything to the standby's, which is versioned as well."""
    home, replica = (deployed.regions[r] for r in (deployed.primary, deployed.standby))
    s3 = clients.client("s3", deployed.primary)
    rule = s3.get_bucket_replication(Bucket=home.bucket)["ReplicationConfiguration"]["Rules"][0]
    assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{replica.bucket}"
    assert rule["Destination"]["EncryptionConfiguration"] == {"ReplicaKmsKeyID": replica.kms_key_arn}
    for region, made in deployed.regions.items():
        assert clients.client("s3", region).get_bucket_versioning(Bucket=made.bucket)["Status"] == "Enabled"


def test_the_api_asks_for_its_key(clients: Clients, deployed: Deployed, topology: Topology) -> None:
    """Every route is deployed, invokes the alias, and asks for the key unless it is a health page."""
    for region, made in deployed.regions.items():
        gateway = clients.client("apigateway", region)
        resources = gateway.get_resources(restApiId=made.api_id, embed=["methods"])["items"]
        found = {
            (r["path"], m): (s["apiKeyRequired"], s["methodIntegration"]["uri"])
            for r in resources
            for m, s in r.get("resourceMethods", {}).items()
        }
        assert {k: v[0] for k, v in found.items()} == {(r.path, r.method): r.key for r in topology.routes}
        assert all(f"{deployed.orders_function}:{deployed.orders_alias}/" in uri for _, uri in found.values())
        assert gateway.get_stage(restApiId=made.api_id, stageName=deployed.stage)["deploymentId"]
        keys = gateway.get_api_keys(nameQuery=Names("run-a").of("client"), includeValues=True)["items"]
        assert [k["value"] for k in keys] == [deployed.api_key]


def test_dns_fails_over(clients: Clients, deployed: Deployed) -> None:
    """PRIMARY and SECONDARY aliases of the regional names, each with the health check of its region's deep health."""
    route53 = clients.client("route53", None)
    records = route53.list_resource_record_sets(HostedZoneId=deployed.zone_id)["ResourceRecordSets"]
    found = {r["Failover"]: r for r in records if r["Name"] == deployed.record_name}
    for role, region in (("PRIMARY", deployed.primary), ("SECONDARY", deployed.standby)):
        made = deployed.regions[region]
        assert found[role]["AliasTarget"]["DNSName"] == f"{made.domain_target}."
        assert found[role]["HealthCheckId"] == made.health_check_id
        check = route53.get_health_check(HealthCheckId=made.health_check_id)["HealthCheck"]["HealthCheckConfig"]
        assert check["FullyQualifiedDomainName"] == made.api_host
        assert check["ResourcePath"] == f"/{deployed.stage}/health/deep"
        assert (check["RequestInterval"], check["FailureThreshold"]) == (10, 3)


def test_the_alarm_leads_to_the_controller_and_is_disarmed(clients: Clients, deployed: Deployed) -> None:
    """Alarm -> topic -> controller, allowed by its policy; it acts on nothing until it is armed."""
    found = clients.client("cloudwatch", deployed.standby).describe_alarms(AlarmNames=[deployed.alarm_name])
    alarm = found["MetricAlarms"][0]
    assert alarm["AlarmActions"] == [deployed.topic_arn]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (10, 3, "breaching")
    sns = clients.client("sns", deployed.standby)
    ends = [s["Endpoint"] for s in sns.list_subscriptions_by_topic(TopicArn=deployed.topic_arn)["Subscriptions"]]
    assert [e.rpartition(":")[2] for e in ends] == [deployed.controller_function]
    lambda_ = clients.client("lambda", deployed.standby)
    policy = json.loads(lambda_.get_policy(FunctionName=deployed.controller_function)["Policy"])
    assert [s["Condition"]["ArnLike"]["AWS:SourceArn"] for s in policy["Statement"]] == [deployed.topic_arn]
    assert alarm["ActionsEnabled"] is False


def test_roles_may_do_their_job_only(clients: Clients, deployed: Deployed) -> None:
    """No wildcard action, and a wildcard resource only where AWS knows no other."""
    iam = clients.client("iam", None)
    statements = []
    for role in iam.list_roles()["Roles"]:
        if role["RoleName"].startswith(Names("run-a").prefix):
            for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                existing = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)
                statements += existing["PolicyDocument"]["Statement"]
    assert len(statements) > 15
    for statement in statements:
        assert not any("*" in action for action in statement["Action"])
        if statement["Resource"] == "*":
            assert set(statement["Action"]) <= UNBOUNDED


def test_capacity_follows_utilisation(clients: Clients, deployed: Deployed, topology: Topology) -> None:
    """The alias is a scaling target within its region's capacity."""
    for plan in topology.regions:
        autoscaling = clients.client("application-autoscaling", plan.name)
        target = next(
            t
            for t in autoscaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
            if t["ResourceId"] == f"function:{deployed.orders_function}:{deployed.orders_alias}"
        )
        assert (target["MinCapacity"], target["MaxCapacity"]) == (plan.capacity.scaling_min, plan.capacity.scaling_max)


def test_cloudfront_where_asked_for(clients: Clients, deployed: Deployed, topology: Topology) -> None:
    """Switched on, a distribution stands before the API's name; without, none does."""
    assert not deployed.distribution
    edged = provision(clients, msgspec.structs.replace(topology, cloudfront=True), "run-a")
    distributions = clients.client("cloudfront", None).list_distributions()["DistributionList"]["Items"]
    origins = [d["Origins"]["Items"][0]["DomainName"] for d in distributions if d["DomainName"] == edged.distribution]
    assert origins == [deployed.api_name]


@pytest.mark.parametrize("run_id", ["", "a b", "x" * 29, "a--b", "-a"])
def test_a_run_id_that_cannot_name_anything(clients: Clients, topology: Topology, run_id: str) -> None:
    """A run id that AWS would not take in a name is refused before anything is made."""
    with pytest.raises(UnusableInput, match="run id"):
        provision(clients, topology, run_id)


def test_https_wants_a_certificate(clients: Clients, deployed: Deployed, topology: Topology) -> None:
    """An https edge without a certificate is refused in a sentence that names the setting."""
    https = msgspec.structs.replace(topology, edge_scheme="https", api_label="secure", routes=topology.routes[-1:])
    with pytest.raises(UnusableInput, match="certificate_arn"):
        provision(clients, https, "run-a")


def _rules(permissions: list[dict[str, Any]]) -> set[tuple[str, int | None, str]]:
    return {
        (p["IpProtocol"], p.get("FromPort") if p["IpProtocol"] != "-1" else None, peer)
        for p in permissions
        for peer in (*(g["GroupId"] for g in p["UserIdGroupPairs"]), *(r["CidrIp"] for r in p["IpRanges"]))
    }
