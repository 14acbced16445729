"""CloudWatch alarms: evaluated on real data, their actions really set off."""

from infra_fixtures.data_plane.cloudwatch.service import CloudWatch

__all__ = ["CloudWatch"]
