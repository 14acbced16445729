"""aws:fis:wait: https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#fis-actions-reference-wait."""

from __future__ import annotations

from infra_fixtures.control_plane.fis.actions.action import DURATION, Acting, Action


async def _wait(acting: Acting) -> None:
    await acting.hold()


ACTIONS = (Action("aws:fis:wait", "Wait for the specified duration.", _wait, {"duration": DURATION}),)
