"""What provisioning makes that stands by itself: which call makes it, what it is called then, how it is seen and taken away.

What belongs to such a thing and goes with it (a stage, an alias of a function, an entry of an ACL) has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from botocore.exceptions import ClientError

from infra_fixtures.provision.compute import SCALING
from infra_fixtures.provision.identity import DELETION_WAIT_DAYS


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource, made by `makes` (botocore's operation).

    `named` is a JMESPath into {"given": parameters, "answer": ...}. `look` answers with something where it is there, and
    with nothing, or one of the error codes `absent`, where it is not.
    """

    service: str
    makes: str
    named: str
    look: Callable[[Any, str], Any]
    delete: Callable[[Any, str], Any]
    absent: tuple[str, ...]

    def name_of(self, given: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """What it is called; "" where that cannot be told."""
        found = jmespath.search(self.named, {"given": given, "answer": answer})
        return str(found) if found else ""

    def is_there(self, client: Any, name: str) -> bool:
        """Whether it is there; raises ClientError where nobody can say."""
        try:
            return bool(self.look(client, name))
        except ClientError as e:
            if str(e.response["Error"]["Code"]) in self.absent:
                return False
            raise

    def remove(self, client: Any, name: str) -> None:
        """Take it away; nothing where it is gone. Raises ClientError."""
        try:
            self.delete(client, name)
        except ClientError as e:
            if str(e.response["Error"]["Code"]) not in self.absent:
                raise


def _live(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """EC2 still describes some for a while after they were deleted; their state says so."""
    return [one for one in found if str(one.get("State", "")).lower() not in ("deleting", "deleted")]


KINDS: tuple[Kind, ...] = (
    *(
        Kind("ec2", makes, "answer.Vpc.VpcId", lambda c, n: c.describe_vpcs(VpcIds=[n])["Vpcs"],
             lambda c, n: c.delete_vpc(VpcId=n), ("InvalidVpcID.NotFound",))
        for makes in ("CreateVpc", "CreateDefaultVpc")
    ),
    Kind("ec2", "CreateSubnet", "answer.Subnet.SubnetId", lambda c, n: c.describe_subnets(SubnetIds=[n])["Subnets"],
         lambda c, n: c.delete_subnet(SubnetId=n), ("InvalidSubnetID.NotFound",)),
    Kind("ec2", "CreateInternetGateway", "answer.InternetGateway.InternetGatewayId",
         lambda c, n: c.describe_internet_gateways(InternetGatewayIds=[n])["InternetGateways"],
         lambda c, n: c.delete_internet_gateway(InternetGatewayId=n), ("InvalidInternetGatewayID.NotFound",)),
    Kind("ec2", "CreateRouteTable", "answer.RouteTable.RouteTableId",
         lambda c, n: c.describe_route_tables(RouteTableIds=[n])["RouteTables"],
         lambda c, n: c.delete_route_table(RouteTableId=n), ("InvalidRouteTableID.NotFound",)),
    # moto says of an ACL, too, that there is no such route table
    Kind("ec2", "CreateNetworkAcl", "answer.NetworkAcl.NetworkAclId",
         lambda c, n: c.describe_network_acls(NetworkAclIds=[n])["NetworkAcls"],
         lambda c, n: c.delete_network_acl(NetworkAclId=n), ("InvalidNetworkAclID.NotFound", "InvalidRouteTableID.NotFound")),
    Kind("ec2", "CreateSecurityGroup", "answer.GroupId",
         lambda c, n: c.describe_security_groups(GroupIds=[n])["SecurityGroups"],
         lambda c, n: c.delete_security_group(GroupId=n), ("InvalidGroup.NotFound",)),
    Kind("ec2", "CreateVpcEndpoint", "answer.VpcEndpoint.VpcEndpointId",
         lambda c, n: _live(c.describe_vpc_endpoints(VpcEndpointIds=[n])["VpcEndpoints"]),
         lambda c, n: c.delete_vpc_endpoints(VpcEndpointIds=[n]), ("InvalidVpcEndpointId.NotFound",)),
    Kind("kms", "CreateKey", "answer.KeyMetadata.KeyId",
         lambda c, n: c.describe_key(KeyId=n)["KeyMetadata"]["KeyState"] != "PendingDeletion",
         lambda c, n: c.schedule_key_deletion(KeyId=n, PendingWindowInDays=DELETION_WAIT_DAYS), ("NotFoundException",)),
    Kind("kms", "CreateAlias", "given.AliasName", lambda c, n: c.describe_key(KeyId=n),
         lambda c, n: c.delete_alias(AliasName=n), ("NotFoundException",)),
    Kind("iam", "CreateRole", "given.RoleName", lambda c, n: c.get_role(RoleName=n),
         lambda c, n: c.delete_role(RoleName=n), ("NoSuchEntity",)),
    Kind("secretsmanager", "CreateSecret", "given.Name",
         lambda c, n: not c.describe_secret(SecretId=n).get("DeletedDate"),
         lambda c, n: c.delete_secret(SecretId=n, ForceDeleteWithoutRecovery=True), ("ResourceNotFoundException",)),
    Kind("rds", "CreateGlobalCluster", "given.GlobalClusterIdentifier",
         lambda c, n: c.describe_global_clusters(GlobalClusterIdentifier=n)["GlobalClusters"],
         lambda c, n: c.delete_global_cluster(GlobalClusterIdentifier=n), ("GlobalClusterNotFoundFault",)),
    Kind("rds", "CreateDBCluster", "given.DBClusterIdentifier",
         lambda c, n: c.describe_db_clusters(DBClusterIdentifier=n)["DBClusters"],
         lambda c, n: c.delete_db_cluster(DBClusterIdentifier=n, SkipFinalSnapshot=True),
         ("DBClusterNotFoundFault", "DBClusterNotFound")),
    Kind("rds", "CreateDBInstance", "given.DBInstanceIdentifier",
         lambda c, n: c.describe_db_instances(DBInstanceIdentifier=n)["DBInstances"],
         lambda c, n: c.delete_db_instance(DBInstanceIdentifier=n, SkipFinalSnapshot=True),
         ("DBInstanceNotFound", "DBInstanceNotFoundFault")),
    Kind("rds", "CreateDBSubnetGroup", "given.DBSubnetGroupName",
         lambda c, n: c.describe_db_subnet_groups(DBSubnetGroupName=n)["DBSubnetGroups"],
         lambda c, n: c.delete_db_subnet_group(DBSubnetGroupName=n), ("DBSubnetGroupNotFoundFault",)),
    Kind("s3", "CreateBucket", "given.Bucket", lambda c, n: c.head_bucket(Bucket=n),
         lambda c, n: c.delete_bucket(Bucket=n), ("404", "NoSuchBucket")),
    Kind("lambda", "CreateFunction", "given.FunctionName", lambda c, n: c.get_function_configuration(FunctionName=n),
         lambda c, n: c.delete_function(FunctionName=n), ("ResourceNotFoundException",)),
    Kind("apigateway", "CreateRestApi", "answer.id", lambda c, n: c.get_rest_api(restApiId=n),
         lambda c, n: c.delete_rest_api(restApiId=n), ("NotFoundException",)),
    Kind("apigateway", "CreateApiKey", "answer.id", lambda c, n: c.get_api_key(apiKey=n),
         lambda c, n: c.delete_api_key(apiKey=n), ("NotFoundException",)),
    Kind("apigateway", "CreateUsagePlan", "answer.id", lambda c, n: c.get_usage_plan(usagePlanId=n),
         lambda c, n: c.delete_usage_plan(usagePlanId=n), ("NotFoundException",)),
    Kind("apigateway", "CreateDomainName", "given.domainName", lambda c, n: c.get_domain_name(domainName=n),
         lambda c, n: c.delete_domain_name(domainName=n), ("NotFoundException",)),
    Kind("acm", "RequestCertificate", "answer.CertificateArn", lambda c, n: c.describe_certificate(CertificateArn=n),
         lambda c, n: c.delete_certificate(CertificateArn=n), ("ResourceNotFoundException",)),
    Kind("route53", "CreateHostedZone", "answer.HostedZone.Id", lambda c, n: c.get_hosted_zone(Id=n),
         lambda c, n: c.delete_hosted_zone(Id=n), ("NoSuchHostedZone",)),
    Kind("route53", "CreateHealthCheck", "answer.HealthCheck.Id", lambda c, n: c.get_health_check(HealthCheckId=n),
         lambda c, n: c.delete_health_check(HealthCheckId=n), ("NoSuchHealthCheck",)),
    Kind("logs", "CreateLogGroup", "given.logGroupName",
         lambda c, n: [g for g in c.describe_log_groups(logGroupNamePrefix=n)["logGroups"] if g["logGroupName"] == n],
         lambda c, n: c.delete_log_group(logGroupName=n), ("ResourceNotFoundException",)),
    Kind("cloudwatch", "PutMetricAlarm", "given.AlarmName",
         lambda c, n: c.describe_alarms(AlarmNames=[n])["MetricAlarms"],
         lambda c, n: c.delete_alarms(AlarmNames=[n]), ("ResourceNotFound",)),
    Kind("sns", "CreateTopic", "answer.TopicArn", lambda c, n: c.get_topic_attributes(TopicArn=n),
         lambda c, n: c.delete_topic(TopicArn=n), ("NotFound", "NotFoundException")),
    Kind("events", "PutRule", "given.Name", lambda c, n: c.describe_rule(Name=n),
         lambda c, n: c.delete_rule(Name=n), ("ResourceNotFoundException",)),
    Kind("application-autoscaling", "RegisterScalableTarget", "given.ResourceId",
         lambda c, n: c.describe_scalable_targets(ServiceNamespace="lambda", ResourceIds=[n])["ScalableTargets"],
         lambda c, n: c.deregister_scalable_target(**SCALING, ResourceId=n), ("ObjectNotFoundException",)),
    Kind("cloudfront", "CreateDistributionWithTags", "answer.Distribution.Id", lambda c, n: c.get_distribution(Id=n),
         lambda c, n: c.delete_distribution(Id=n, IfMatch=c.get_distribution(Id=n)["ETag"]), ("NoSuchDistribution",)),
)  # fmt: skip

BY_OPERATION: Mapping[tuple[str, str], Kind] = {(kind.service, kind.makes): kind for kind in KINDS}
