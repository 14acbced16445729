"""Bad settings are one sentence; what answers mean is decided without a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drill.history import Mark, Outcome
from drill.schedule import Leg
from drill.unusable import UnusableInput
from traffic import frames, outcomes
from traffic.contract import AnswerPointers
from traffic.contract_file import order_api
from traffic.load import Load, RampPoint, Service, amount_of
from traffic.outcomes import Answer, of_read, of_receipt, of_write, region_of
from traffic.records import read_spool

WRITE, READ = order_api().write, order_api().read


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"orders_per_s": 0}, "orders_per_s is 0: give a rate above 0"),
        ({"orders_per_s": float("nan")}, "orders_per_s is nan"),
        ({"reads_per_s": -1}, "reads_per_s is -1"),
        ({"orders_per_s": 1e6}, "orders_per_s is 1000000.0: give a rate above 0 (at most 100000)"),
        ({"ramp": (RampPoint(50, 3), RampPoint(200, 2))}, "200@2 after one at 3 s: give points in order of time"),
        ({"ramp": (RampPoint(-1, 0),)}, "-1@0: give a rate from 0 to 100000"),
        ({"ramp": (RampPoint(50, 0),)}, "ramp ends otherwise than with orders_per_s, 200"),
        ({"most_in_flight": 0}, "most_in_flight is 0: give 1 or more"),
        ({"receipt_every": -1}, "receipt_every is -1"),
        ({"request_timeout_s": 0}, "request_timeout_s is 0"),
        ({"cohorts": {"follower": 0.5}}, "add up to 1"),
        ({"cohorts": {"folower": 1.0}}, "unknown cohort folower: known are follower, sticky, fresh"),
    ],
)
def test_an_impossible_load_is_refused_with_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    """The sentence names the setting and how to mend it."""
    with pytest.raises(UnusableInput, match=re.escape(sentence)):
        Load(**settings)


@pytest.mark.parametrize("url", ["api.dr-drill.example", "ftp://x", "http://", "http://x/?a=b"])
def test_an_unusable_url_is_refused(url: str) -> None:
    """Only http and https URLs with a name are of use."""
    with pytest.raises(UnusableInput, match="base_url"):
        Service(base_url=url)


def test_a_header_cannot_carry_another() -> None:
    """A line break in a key would write a header of its own."""
    with pytest.raises(UnusableInput, match="line break"):
        Service(api_key="k\r\nX: y")


def test_the_key_of_the_service_is_not_shown() -> None:
    """A secret never enters a log by way of repr."""
    assert "secret" not in repr(Service(api_key="secret"))


def test_loads_get_keys_of_their_own_unless_seeded() -> None:
    """Unseeded runs do not meet in one table; keys stay exact in every JSON reader; a seed repeats them."""
    firsts = {Load().first_key for _ in range(20)}
    assert len(firsts) == 20
    assert max(firsts) < 2**53 - 10**9
    assert Load(seed=3).first_key == Load(seed=3).first_key


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, {"stored": True}, ("ok", None)),
        (200, {"stored": True}, ("ok", None)),
        (201, {"stored": False}, ("unknown", "unconfirmed")),
        (200, {}, ("unknown", "unconfirmed")),
        (503, {"stored": False, "error": "ReadOnly"}, ("fail", "ReadOnly")),
        (503, {}, ("unknown", "http_503")),
        (500, {"error": "CommitUnknown"}, ("unknown", "CommitUnknown")),
        (502, {}, ("unknown", "http_502")),
        (504, {}, ("unknown", "http_504")),
        (403, {}, ("fail", "forbidden")),
        (429, {}, ("fail", "throttled")),
        (404, {}, ("fail", "http_404")),
        (408, {}, ("unknown", "http_408")),
        (500, {"error": "password=hunter2 at host"}, ("unknown", "http_500")),
    ],
)
def test_a_write_fails_only_where_it_is_sure(
    status: int, body: dict[str, object], expected: tuple[str, str | None]
) -> None:
    """What does not say "not done" is in doubt, and only a class of failure, no free text, enters the record."""
    assert of_write(WRITE, Answer(status, None, b""), body, 7) == expected


def test_an_acknowledgement_of_another_order_is_of_wrong_content() -> None:
    """It stays acknowledged, so that its loss counts, and its error says that what is stored is not what was sent."""
    answer, sent = Answer(200, None, b""), amount_of(7)
    assert of_write(WRITE, answer, {"stored": True, "key": 7, "amount": sent}, 7) == ("ok", None)
    assert of_write(WRITE, answer, {"stored": True, "key": 7, "amount": sent + 1}, 7) == ("ok", "wrong_content")
    assert of_write(WRITE, answer, {"stored": True, "key": 8, "amount": sent}, 7) == ("ok", "wrong_content")


def test_a_receipt_is_as_sure_as_its_order_and_its_own_word() -> None:
    """A stored order silent on its receipt leaves the receipt in doubt; one surely not stored has none."""
    assert of_receipt(WRITE, (Outcome.OK, None), {"receipt": True}) == ("ok", None)
    assert of_receipt(WRITE, (Outcome.OK, None), {"receipt": False}) == ("unknown", "no_receipt")
    assert of_receipt(WRITE, (Outcome.FAIL, "throttled"), {"receipt": True}) == ("fail", "throttled")
    assert of_receipt(WRITE, (Outcome.UNKNOWN, "timeout"), None) == ("unknown", "timeout")


def test_a_read_must_show_what_was_written() -> None:
    """Another amount or key is no success, nor is silence on them, and an order that is gone has a name of its own."""
    right: Mapping[str, object] = {"key": 7, "amount": amount_of(7)}
    assert of_read(READ, Answer(200, None, b""), right, 7) == ("ok", None)
    assert of_read(READ, Answer(200, None, b""), {"key": 7, "amount": 0}, 7) == ("fail", "wrong_content")
    assert of_read(READ, Answer(200, None, b""), {"key": 7}, 7) == ("fail", "wrong_content")
    assert of_read(READ, Answer(404, None, b""), None, 7) == ("fail", "not_found")


def test_a_region_is_named_by_the_header_or_else_by_the_body() -> None:
    """The header comes first, what is no name is none, and an application in one place need not say it."""
    api, body = order_api(), {"region": "us-west-2"}
    assert region_of(api, WRITE.answer, Answer(200, "us-east-1", b""), body) == "us-east-1"
    assert region_of(api, WRITE.answer, Answer(200, None, b""), body) == "us-west-2"
    assert region_of(api, WRITE.answer, Answer(200, None, b""), {"region": 7}) is None
    alone = msgspec.structs.replace(api, region="here")
    assert region_of(alone, AnswerPointers(), Answer(200, None, b""), body) == "here"
    assert region_of(alone, AnswerPointers(), None, None) is None


def test_a_ramp_is_the_legs_between_its_points() -> None:
    """The first rate holds until its point, a step has no length, and other kinds of request take a share of it."""
    points = (RampPoint(10, 5), RampPoint(20, 10), RampPoint(40, 10), RampPoint(200, 20))
    load = Load(ramp=points)
    assert load.legs() == (Leg(5, 10, 10), Leg(5, 10, 20), Leg(10, 40, 200))
    assert load.legs(0.1) == (Leg(5, 1, 1), Leg(5, 1, 2), Leg(10, 4, 20))
    assert Load().legs() == ()


def test_a_body_that_is_no_json_says_nothing() -> None:
    """An HTML error page of a gateway is an answer without words."""
    assert outcomes.json_of(Answer(502, None, b"<html>")) is None


def test_a_spool_cut_anywhere_gives_the_whole_frames(tmp_path: Path) -> None:
    """A record that was half written when all died is left out, those before it are read."""
    path = tmp_path / "traffic.spool"
    one, two = (frames.encode(frames.Marked(Mark(at, "client.dns_answer", "name", "127.0.0.1"))) for at in (1, 2))
    for cut in range(len(two)):
        path.write_bytes(one + two[:cut])
        assert [m.at_ns for m in read_spool(path).marks] == [1]


@pytest.mark.parametrize("content", [b"PAR1 nothing of the kind", b"\x00\x00\x00\x02\x90\x90"])
def test_what_is_no_spool_is_refused(tmp_path: Path, content: bytes) -> None:
    """Another file's bytes are not taken for records, and a missing file is named."""
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(UnusableInput, match="not a spool"):
        read_spool(path)
    with pytest.raises(UnusableInput, match="cannot be read"):
        read_spool(tmp_path / "none")
