"""Creates the topology with plain boto3, one layer a file."""

from infra_fixtures.provision.deployed import Clients, Deployed, DeployedRegion
from infra_fixtures.provision.stack import arm, migrate, provision, tear_down

__all__ = ["Clients", "Deployed", "DeployedRegion", "arm", "migrate", "provision", "tear_down"]
