"""Whatever is cut out of a file or written into it, it is imported or refused, never a crash."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drill.unusable import UnusableInput
from tests.drill.imports.judged import DATA, imported
from tests.drill.imports.make_data import cases

FILES = tuple(cases(0))
NAMES = (
    "Records", "Events", "events", "message", "CloudTrailEvent", "eventName", "eventTime", "experiment", "actions", "startTime",
    "endTime", "state", "status", "actionId", "parameters", "details", "log_type", "action_name", "event_timestamp",
)  # fmt: skip
BEGIN = 6_000
"""So much of each file is garbled: enough for all kinds of its lines, and read in a moment."""
HEADS = {name: gzip.decompress((DATA / f"{name}.gz").read_bytes())[:BEGIN] for name in FILES}


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(1, BEGIN),
    spots=st.lists(st.tuples(st.integers(0, BEGIN - 1), st.binary(min_size=1, max_size=6)), max_size=4),
    packed=st.booleans(),
)
def test_a_garbled_file_never_crashes(
    name: str, cut: int, spots: list[tuple[int, bytes]], packed: bool, tmp_path: Path
) -> None:
    """Cut anywhere, overwritten in places, as text or as a gzip file that was itself garbled."""
    content = bytearray(HEADS[name][:cut])
    if packed:
        content = bytearray(gzip.compress(bytes(content), mtime=0))
    for at, bytes_ in spots:
        content[at : at + len(bytes_)] = bytes_
    path = tmp_path / "garbled"
    path.write_bytes(bytes(content))
    with contextlib.suppress(UnusableInput):
        bundle = imported(path, "--fault-at", "2026-11-28T00:10:00Z", "--timeout", "1")
        assert bundle.record["requests"] > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_bytes_of_nobody_never_crash(content: bytes, tmp_path: Path) -> None:
    """Nor as a log of AWS."""
    path = tmp_path / "bytes"
    path.write_bytes(content)
    with pytest.raises(UnusableInput):
        imported(path)
    for option in ("--cloudtrail", "--fis"):
        with pytest.raises(UnusableInput):
            imported(DATA / "vegeta.json.gz", option, path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(NAMES),
                inner | st.sampled_from(["action-start", "2026-11-27T10:00:00Z"]),
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_json_of_another_shape_never_crashes(content: object, tmp_path: Path) -> None:
    """A log of AWS that is JSON, and not what AWS writes."""
    path = tmp_path / "log.json"
    try:
        path.write_bytes(msgspec.json.encode(content))
    except (OverflowError, UnicodeEncodeError):
        return
    for option in ("--cloudtrail", "--fis"):
        with contextlib.suppress(UnusableInput):
            imported(DATA / "vegeta.json.gz", option, path)
