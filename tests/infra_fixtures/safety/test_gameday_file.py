"""The game day file: what is right is read, and each mistake is one sentence that says how to mend it."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.unusable import UnusableInput
from infra_fixtures.safety.gameday_file import TABLES, GameDayFile, _keys
from infra_fixtures.safety.scope import BlastRadius, Tag

DOCUMENT = Path(__file__).parents[3] / "docs" / "gameday-file.md"
EXAMPLE = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
assert EXAMPLE is not None
WHOLE = EXAMPLE[1]


def read(text: str) -> GameDayFile:
    """As if it stood in gameday.toml."""
    return GameDayFile.parse(text, source="gameday.toml")


def test_the_documented_example_is_what_it_says() -> None:
    """The whole example of docs/gameday-file.md, and the scope that comes of it."""
    file = read(WHOLE)
    scope = file.scope(confirmed=True)
    assert scope.accounts == {"123456789012"}
    assert scope.regions == {"us-east-1", "us-west-2", "global"}
    assert scope.tag == Tag("dr-drill", "may-break")
    assert scope.blast_radius == BlastRadius(frozenset({"lambda", "ec2", "rds", "route53"}), 12)
    assert scope.confirmed
    assert not scope.read_only
    assert not file.scope(confirmed=False).confirmed
    assert [str(a) for a in file.alarms] == ["the alarm checkout-5xx in us-west-2 is in ALARM"]
    inside = dt.datetime(2026, 12, 5, 7, tzinfo=dt.UTC)
    assert scope.closes(inside) == dt.datetime(2026, 12, 5, 9, tzinfo=dt.UTC)
    assert not scope.is_open(dt.datetime(2026, 12, 6, 7, tzinfo=dt.UTC))
    sunday_in_vienna = dt.datetime(2026, 7, 4, 22, 30, tzinfo=dt.UTC)
    assert scope.closes(sunday_in_vienna) == dt.datetime(2026, 7, 5, 0, 0, tzinfo=dt.UTC)


def test_every_key_is_documented() -> None:
    """Each key of the file, and of its tables, stands in docs/gameday-file.md."""
    written = DOCUMENT.read_text()
    missing = [key for table in TABLES for key in _keys(table) if not key.startswith(" ") and f"`{key}`" not in written]
    assert missing == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "closes = 02:00:00",
            "closes = 2026-12-05T02:00:00Z",
            "weekly_window[0].closes is not understood: expected `time`",
        ),
        ('zone = "Europe/Vienna"', 'zone = "Vienna"', "'Vienna' is no time zone: write UTC, or such as Europe/Vienna"),
        ('zone = "Europe/Vienna"', "", "weekly_window[0].zone is missing: write it"),
        ('"sun"', '"sunday"', "sunday is no day of the week: write mon, tue, wed, thu, fri, sat, sun"),
        ('"sun"', "", "weekly_window.days is empty, or has an empty word in it: name at least one"),
        ("resources = 12", "resources = 0", "blast_radius.resources is 0: write how many may be touched, 1 or more"),
        ("resources = 12", "resources = 1.5", "blast_radius.resources is not understood: expected `int`, got `float`"),
        ("requests_per_second = 250", "requests_per_second = inf", "requests_per_second is inf: write the most that"),
        ("requests_per_second = 250", "requests_per_second = -1", "requests_per_second is -1: write the most that"),
        ('key = "dr-drill"', 'key = "aws:owner"', "the tag key 'aws:owner' can be given to nothing: write one of your"),
        ('"us-west-2", "global"', '"us-west-2", "us-west-2"', "regions names us-west-2 twice: name each once"),
        ('region = "us-west-2"', 'region = "us-west2"', "there is no region us-west2; did you mean us-west-2?"),
        ('region = "us-west-2"', 'region = "mars"', "there is no region mars; write its name as boto3 does"),
        ('name = "checkout-5xx"', 'name = " "', "an [[alarm]] has no name: write the name of a CloudWatch alarm"),
        ("[[alarm]]", 'no_alarm_because = "x"\n[[alarm]]', "no_alarm_because"),
        ("[tag]", "read_only = 1\n[tag]", "read_only is not understood: expected `bool`, got `int`"),
        ('region = "us-west-2"', 'region = "us\\nwest"', "there is no region us west; did you mean us-west-"),
        ("ticket =", '"a\\nb" =', "there is no key a b; known are accounts"),
        ("[[window]]", "[window]", "window is not understood: expected `array`, got `object`"),
    ],
)
def test_each_mistake_is_one_sentence(old: str, new: str, sentence: str) -> None:
    """It names the file, the place, what is wrong and how to mend it."""
    assert old in WHOLE
    with pytest.raises(UnusableInput) as said:
        read(WHOLE.replace(old, new, 1))
    assert str(said.value).startswith("gameday.toml: ")
    assert sentence in str(said.value)
    assert "\n" not in str(said.value)


def test_a_drill_without_an_alarm_says_why() -> None:
    """Nobody leaves the alarm out unnoticed; the reason is in the plan."""
    without = WHOLE[: WHOLE.index("[[alarm]]")]
    with pytest.raises(UnusableInput, match=r"there is no \[\[alarm\]\]: name a CloudWatch alarm"):
        read(without)
    assert read('no_alarm_because = "nobody uses it yet"\n' + without).alarms == ()


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """One that is not there, a directory, and one that is no text."""
    with pytest.raises(UnusableInput, match="is not there: write what the game day may do"):
        GameDayFile.read(tmp_path / "gameday.toml")
    with pytest.raises(UnusableInput, match="directory"):
        GameDayFile.read(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UnusableInput, match="is not UTF-8"):
        GameDayFile.read(tmp_path / "binary")
    (tmp_path / "gameday.toml").write_text(WHOLE)
    assert GameDayFile.read(tmp_path / "gameday.toml").source == str(tmp_path / "gameday.toml")


@given(cut=st.integers(0, len(WHOLE)), put=st.text(max_size=12))
def test_no_text_is_a_crash(cut: int, put: str) -> None:
    """Whatever is put into the file anywhere, it is read or refused in one sentence."""
    try:
        read(WHOLE[:cut] + put + WHOLE[cut:])
    except UnusableInput as e:
        assert "\n" not in str(e)  # noqa: PT017
