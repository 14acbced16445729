"""Creates the topology with plain boto3, one layer a file: the same calls for moto, LocalStack and AWS."""

from infra_fixtures.provision.deployed import Deployed, DeployedRegion
from infra_fixtures.provision.first_steps import MigrationFailed, arm, invoke_orders, migrate, take_first_steps
from infra_fixtures.provision.naming import PART_TAG, RUN_TAG
from infra_fixtures.provision.removal import tear_down
from infra_fixtures.provision.stack import Clients, make_clients, provision

__all__ = [
    "Clients",
    "Deployed",
    "DeployedRegion",
    "MigrationFailed",
    "PART_TAG",
    "RUN_TAG",
    "arm",
    "invoke_orders",
    "make_clients",
    "migrate",
    "provision",
    "take_first_steps",
    "tear_down",
]
