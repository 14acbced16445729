"""One control plane for all tests of a module: functions deployed once serve them all."""

from tests.infra_fixtures.conftest import aws_client, control_plane

__all__ = ["aws_client", "control_plane"]
