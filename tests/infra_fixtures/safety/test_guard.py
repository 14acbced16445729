"""What a scope does not allow never leaves this machine, and what it allows does, against a running AWS API."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.scope import BlastRadius, Tag
from tests.infra_fixtures.safety.guard_bench import (
    NOW,
    OTHER,
    OVER,
    REGION,
    TAG,
    TAGS,
    TRUST,
    AwsClient,
    Bench,
    alarm,
    bucket,
    function,
    hosted_zone,
    log_group,
    record_change,
    rule,
)


@pytest.fixture
def bench(aws_client: AwsClient, control_plane: RunLayout) -> Bench:
    """A bench at the module's control plane."""
    return Bench(aws_client, control_plane)


def test_what_the_scope_allows_is_sent(bench: Bench) -> None:
    """An allowed account, region and hour, confirmed: the bucket is there afterwards."""
    name = f"b-{uuid.uuid4().hex}"
    bench.client(bench.guard(), "s3").create_bucket(Bucket=name)
    assert bench.free("s3").head_bucket(Bucket=name)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"accounts": frozenset({"999999999999"})},
            r"sqs CreateQueue in us-east-1 was not done: the account \d{12} is none of those allowed \(999999999999\); use",
        ),
        (
            {"regions": frozenset({OTHER})},
            r"us-east-1 is none of the regions allowed \(us-west-2\); add it to the scope's regions",
        ),
        ({"confirmed": False}, r"nobody has confirmed this run; confirm it once you have seen its plan"),
        ({"windows": (OVER,)}, r"no window is open \(2026-12-01 01:00 to 2026-12-01 02:00 UTC\); wait for one"),
        (
            {"tag": TAG},
            r"it cannot be told which resource it touches, and whether that is tagged dr-drill=may-break; tag",
        ),
    ],
    ids=["account", "region", "confirmation", "window", "tag"],
)
def test_each_rule_refuses_in_one_sentence(bench: Bench, changes: dict[str, Any], sentence: str) -> None:
    """It says what, by which rule and how to allow it; nothing was sent, and reading is never refused."""
    sqs = bench.client(bench.guard(**changes), "sqs")
    with pytest.raises(Refused, match=sentence) as said:
        sqs.create_queue(QueueName="q")
    assert "\n" not in str(said.value)
    assert bench.sent == []
    sqs.list_queues()
    assert bench.sent == ["ListQueues"]


def test_the_account_is_asked_for_once(bench: Bench) -> None:
    """Many calls, one GetCallerIdentity; none at all where the account is known already."""
    sqs = bench.client(bench.guard(), "sqs")
    for n in range(3):
        sqs.create_queue(QueueName=f"q{n}")
    assert bench.asked == ["sts"]
    bench.asked.clear()
    known = Guard(bench.scope, bench._ask, account=bench.account, now=lambda: NOW)
    bench.client(known, "sqs").create_queue(QueueName="q3")
    assert bench.asked == []


def test_an_account_that_cannot_be_learnt_is_refused(bench: Bench, aws_client: AwsClient) -> None:
    """Nobody answers for STS: no call that changes something is sent."""
    guard = Guard(bench.scope, lambda s, r: aws_client(s, REGION, endpoint="http://127.0.0.1:9"), now=lambda: NOW)
    with pytest.raises(Refused, match=r"the account is not known .*allow sts:GetCallerIdentity"):
        bench.client(guard, "sqs").create_queue(QueueName="q")
    assert bench.sent == []


def test_a_session_is_protected_with_all_its_clients(bench: Bench) -> None:
    """Clients that are made from it afterwards are under the scope."""
    key = bench.layout.credentials.user
    session = boto3.Session(aws_access_key_id=key.id, aws_secret_access_key=key.secret, region_name=REGION)
    bench.guard(confirmed=False).protect(session)
    url = bench.layout.region(REGION).aws.url
    with pytest.raises(Refused, match="nobody has confirmed"):
        session.client("sqs", endpoint_url=url).create_queue(QueueName="q")
    signed = boto3.Session(aws_access_key_id=key.id, aws_secret_access_key=key.secret, region_name=REGION)
    bench.guard().protect(signed)
    with pytest.raises(Refused, match="an unknown region"):
        signed.client("s3", endpoint_url=url).generate_presigned_url("put_object", {"Bucket": "b", "Key": "k"})
    assert session.client("sqs", endpoint_url=url).list_queues()


def test_a_global_service_is_a_region_of_its_own(bench: Bench) -> None:
    """IAM is refused where only regions are allowed, whichever region its client was made for."""
    with pytest.raises(Refused, match="iam DeleteRole in global was not done: global is none of the regions"):
        bench.client(bench.guard(regions=frozenset({REGION, OTHER})), "iam").delete_role(RoleName="r")


def test_what_is_made_in_another_region_needs_that_region(bench: Bench) -> None:
    """A bucket placed elsewhere by its parameters, and a call that S3 would answer from elsewhere."""
    s3 = bench.client(bench.guard(regions=frozenset({REGION})), "s3")
    with pytest.raises(Refused, match="eu-west-1 is none of the regions allowed"):
        s3.create_bucket(Bucket="b", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    arn = f"arn:aws:s3:{OTHER}:{bench.account}:accesspoint/ap"
    elsewhere = boto3.client("s3", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
    elsewhere.meta.events.register("before-send", lambda **_: pytest.fail("it left this machine"))
    bench.guard(regions=frozenset({REGION})).protect(elsewhere)
    with pytest.raises(Refused, match="s3 PutObject in us-west-2 was not done"):
        elsewhere.put_object(Bucket=arn, Key="k")
    assert bench.sent == []


def test_a_tagged_resource_is_touched_and_another_is_not(bench: Bench) -> None:
    """The same call for two functions, by name, alias and ARN: only the tagged one is throttled."""
    ours, theirs = function(bench, tagged=True), function(bench, tagged=False)
    client = bench.client(bench.guard(tag=TAG), "lambda")
    client.put_function_concurrency(FunctionName=ours, ReservedConcurrentExecutions=0)
    for name in (theirs, f"{theirs}:live", f"arn:aws:lambda:{REGION}:{bench.account}:function:{theirs}"):
        with pytest.raises(Refused, match=f"{theirs}.* is not tagged dr-drill=may-break; tag it"):
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    free = bench.free("lambda")
    assert free.get_function_concurrency(FunctionName=ours)["ReservedConcurrentExecutions"] == 0
    assert "ReservedConcurrentExecutions" not in free.get_function_concurrency(FunctionName=theirs)
    with pytest.raises(Refused, match="is not tagged"):
        client.put_function_concurrency(FunctionName="nowhere", ReservedConcurrentExecutions=0)


def test_a_resource_of_another_account_is_not_touched(bench: Bench) -> None:
    """Its ARN says whose it is, whatever it is tagged with."""
    client = bench.client(bench.guard(tag=TAG), "lambda")
    with pytest.raises(Refused, match="belongs to an account that is none of those allowed"):
        client.delete_function(FunctionName=f"arn:aws:lambda:{REGION}:999999999999:function:f")
    with pytest.raises(Refused, match="999999999999:function:f is not tagged"):
        client.delete_function(FunctionName="999999999999:function:f")


def test_what_the_run_made_counts_as_tagged(bench: Bench) -> None:
    """Names that it owns, or will, are touched without a look; and what is tagged as it is made needs no name."""
    theirs = function(bench, tagged=False)
    owner = bench.client(bench.guard(tag=TAG, owned={theirs, "our-queue"}), "lambda")
    owner.put_function_concurrency(FunctionName=theirs, ReservedConcurrentExecutions=0)
    sqs = bench.client(bench.guard(tag=TAG, owned={"our-queue"}), "sqs")
    sqs.create_queue(QueueName="our-queue")
    sqs.create_queue(QueueName="another", tags={TAG.key: TAG.value})
    with pytest.raises(Refused, match="cannot be told"):
        sqs.create_queue(QueueName="another", tags={TAG.key: "something else"})


def test_a_foreign_resource_cannot_be_tagged_into_the_scope(bench: Bench) -> None:
    """A call that would give it the tag is itself refused."""
    group = bench.free("ec2").create_security_group(GroupName=uuid.uuid4().hex, Description="theirs")["GroupId"]
    ec2 = bench.client(bench.guard(tag=TAG), "ec2")
    with pytest.raises(Refused, match=f"{group} is not tagged"):
        ec2.create_tags(Resources=[group], Tags=TAGS)


def test_network_parts_are_judged_by_what_they_bind(bench: Bench) -> None:
    """Swapping a subnet's ACL names an association, which has no tags: the subnet has."""
    free = bench.free("ec2")
    vpc = free.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ours, theirs = (free.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24")["Subnet"]["SubnetId"] for n in range(2))
    acl = free.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    free.create_tags(Resources=[ours, acl], Tags=TAGS)
    held = free.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [ours, theirs]}])
    bound = {a["SubnetId"]: a["NetworkAclAssociationId"] for n in held["NetworkAcls"] for a in n["Associations"]}
    ec2 = bench.client(bench.guard(tag=TAG), "ec2")
    ec2.replace_network_acl_association(AssociationId=bound[ours], NetworkAclId=acl)
    with pytest.raises(Refused, match=f"{bound[theirs]} is not tagged"):
        ec2.replace_network_acl_association(AssociationId=bound[theirs], NetworkAclId=acl)


@pytest.mark.parametrize(
    ("service", "make", "touch"),
    [
        (
            "kms",
            lambda c, tags: c.create_key(Tags=[{"TagKey": t["Key"], "TagValue": t["Value"]} for t in tags])[
                "KeyMetadata"
            ]["KeyId"],
            lambda c, name: c.disable_key(KeyId=name),
        ),
        (
            "route53",
            lambda c, tags: hosted_zone(c, tags),
            lambda c, name: c.change_resource_record_sets(HostedZoneId=name, ChangeBatch=record_change()),
        ),
        (
            "sns",
            lambda c, tags: c.create_topic(Name=uuid.uuid4().hex, Tags=tags)["TopicArn"],
            lambda c, name: c.publish(TopicArn=name, Message="m"),
        ),
        (
            "secretsmanager",
            lambda c, tags: c.create_secret(Name=uuid.uuid4().hex, SecretString="s", Tags=tags)["ARN"],
            lambda c, name: c.put_secret_value(SecretId=name, SecretString="t"),
        ),
        (
            "cloudwatch",
            lambda c, tags: alarm(c, tags),
            lambda c, name: c.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="drill"),
        ),
        (
            "apigateway",
            lambda c, tags: c.create_rest_api(name="a", tags={t["Key"]: t["Value"] for t in tags})["id"],
            lambda c, name: c.delete_rest_api(restApiId=name),
        ),
        (
            "iam",
            lambda c, tags: c.create_role(
                RoleName=f"r-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=TRUST, Tags=tags
            )["Role"]["RoleName"],
            lambda c, name: c.delete_role(RoleName=name),
        ),
        (
            "events",
            lambda c, tags: rule(c, tags),
            lambda c, name: c.disable_rule(Name=name),
        ),
        (
            "logs",
            lambda c, tags: log_group(c, tags),
            lambda c, name: c.delete_log_group(logGroupName=name),
        ),
        (
            "s3",
            lambda c, tags: bucket(c, tags),
            lambda c, name: c.put_object(Bucket=name, Key="k", Body=b""),
        ),
        (
            "rds",
            lambda c, tags: c.create_db_cluster(
                DBClusterIdentifier=f"c-{uuid.uuid4().hex[:8]}",
                Engine="aurora-postgresql",
                MasterUsername="postgres",
                MasterUserPassword="not-a-secret",
                Tags=tags,
            )["DBCluster"]["DBClusterIdentifier"],
            lambda c, name: c.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True),
        ),
    ],
)
def test_tags_are_found_in_every_service(
    bench: Bench, service: str, make: Callable[[Any, Any], str], touch: Callable[[Any, str], Any]
) -> None:
    """What carries the tag is touched, what does not is refused and not touched, by the service's own way of naming."""
    free = bench.free(service)
    ours, theirs = make(free, TAGS), make(free, [])
    client = bench.client(bench.guard(tag=TAG), service)
    with pytest.raises(Refused, match="is not tagged dr-drill=may-break"):
        touch(client, theirs)
    assert bench.sent == []
    touch(client, ours)
    assert len(bench.sent) == 1


def test_healing_passes_when_the_window_is_over(bench: Bench) -> None:
    """What was broken in time is healed after it, though nothing else; accounts and regions hold for healing too."""
    guard = bench.guard(windows=(OVER,), confirmed=False, regions=frozenset({REGION}))
    sqs, far = bench.client(guard, "sqs"), bench.client(guard, "sqs", OTHER)
    with guard.healing():
        sqs.create_queue(QueueName="undo")
        guard.allow_power("restore_region", REGION)
        with pytest.raises(Refused, match="none of the regions"):
            far.create_queue(QueueName="undo")
    with pytest.raises(Refused, match="nobody has confirmed"):
        sqs.create_queue(QueueName="undo")


def test_healing_opens_the_gate_to_its_own_thread_alone(bench: Bench) -> None:
    """One thread heals when the window is over: another, which injects meanwhile, is refused; nested healing stays open."""
    guard = bench.guard(windows=(OVER,))
    with ThreadPoolExecutor(1) as other, guard.healing():
        with pytest.raises(Refused, match="no window is open"):
            other.submit(guard.allow_power, "lose_region", REGION).result()
        with guard.healing():
            guard.allow_power("restore_region", REGION)
        guard.allow_power("restore_region", REGION)
    with pytest.raises(Refused, match="no window is open"):
        guard.allow_power("lose_region", REGION)


def test_a_power_asks_for_its_region_and_consent(bench: Bench) -> None:
    """Acts that are no AWS call are under the same scope."""
    bench.guard().allow_power("lose_region", REGION)
    with pytest.raises(Refused, match="lose_region in eu-west-1 was not done: eu-west-1 is none of the regions"):
        bench.guard().allow_power("lose_region", "eu-west-1")
    with pytest.raises(Refused, match="nobody has confirmed"):
        bench.guard(confirmed=False).allow_power("lose_region", REGION)
    with pytest.raises(Refused, match="no window is open"):
        bench.guard(windows=(OVER,)).allow_power("lose_region", REGION)


def test_a_tag_that_cannot_be_read_is_none(bench: Bench, aws_client: AwsClient) -> None:
    """The service that would say does not answer: refused, naming the resource."""
    guard = Guard(
        dataclasses.replace(bench.scope, tag=TAG),
        lambda s, r: aws_client(s, REGION, endpoint="http://127.0.0.1:9"),
        account=bench.account,
        now=lambda: NOW,
    )
    with pytest.raises(Refused, match="the tags of some-bucket cannot be read"):
        bench.client(guard, "s3").put_object(Bucket="some-bucket", Key="k")
    assert bench.sent == []


def test_read_only_changes_nothing_at_all(bench: Bench) -> None:
    """Not even what heals; reading goes on."""
    guard = bench.guard(read_only=True)
    sqs = bench.client(guard, "sqs")
    for doing in (contextlib.nullcontext(), guard.healing(), guard.making()):
        with doing, pytest.raises(Refused, match="this game day is read_only; take read_only out of the scope"):
            sqs.create_queue(QueueName="q")
    with pytest.raises(Refused, match="read_only"):
        guard.allow_power("lose_region", REGION)
    sqs.list_queues()
    assert bench.sent == ["ListQueues"]


def test_faults_stay_within_the_blast_radius(bench: Bench) -> None:
    """Two resources may be touched, each as often as need be; a third is refused, and another service from the first."""
    guard = bench.guard(blast_radius=BlastRadius(frozenset({"sqs"}), 2))
    sqs = bench.client(guard, "sqs")
    for name in ("a", "b", "a"):
        sqs.create_queue(QueueName=name)
    with pytest.raises(Refused, match="faults would touch 3 resources, and the blast radius is 2; leave out a fault"):
        sqs.create_queue(QueueName="c")
    with pytest.raises(
        Refused, match=r"sns is none of the services within the blast radius \(sqs\); leave out the fault"
    ):
        bench.client(guard, "sns").create_topic(Name="t")
    assert bench.sent == ["CreateQueue"] * 3


def test_what_is_made_or_healed_is_no_part_of_the_blast_radius(bench: Bench) -> None:
    """A system's own stand-up touches hundreds of resources, in threads of its own; healing must not stop half-way, and a
    probe's heartbeats are many."""
    guard = bench.guard(blast_radius=BlastRadius(frozenset({"sqs"}), 1))
    sqs = bench.client(guard, "sqs")
    with guard.making(), ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: sqs.create_queue(QueueName=f"made-{n}"), range(4)))
    sqs.create_queue(QueueName="broken")
    with guard.healing():
        sqs.create_queue(QueueName="healed")
    with guard.measuring(), ThreadPoolExecutor(1) as another:
        sqs.create_queue(QueueName="measured")
        with pytest.raises(Refused, match="faults would touch 2 resources"):
            another.submit(sqs.create_queue, QueueName="broken-meanwhile").result()
    with pytest.raises(Refused, match="faults would touch 2 resources"):
        sqs.create_queue(QueueName="broken-too")


def test_what_carries_the_runs_mark_is_its_own(bench: Bench) -> None:
    """By the tag that a run gives to what it makes it is found again by any process; another run's is not."""
    free, mark = bench.free("ec2"), Tag("failover-drill:run-id", "run-1")
    vpc = free.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    free.create_tags(Resources=[vpc], Tags=TAGS)
    ec2 = bench.client(bench.guard(tag=TAG, mark=mark), "ec2")
    specification = {"ResourceType": "network-acl", "Tags": [{"Key": mark.key, "Value": mark.value}]}
    acl = ec2.create_network_acl(VpcId=vpc, TagSpecifications=[specification])["NetworkAcl"]["NetworkAclId"]
    other = bench.client(bench.guard(tag=TAG, mark=Tag(mark.key, "run-2")), "ec2")
    with pytest.raises(Refused, match=f"{acl} is not tagged"):
        other.delete_network_acl(NetworkAclId=acl)
    healer = bench.client(bench.guard(tag=TAG, mark=mark), "ec2")
    healer.delete_network_acl(NetworkAclId=acl)
