"""What comes from names and records reaches a terminal as text alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.output import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("orders – größer ☃ 注文", "orders – größer ☃ 注文"),
        ("\x1b[31mMET\x1b[0m", "\\x1b[31mMET\\x1b[0m"),
        ("a\nhealed region_lost", "a\\nhealed region_lost"),
        ("a\rb\tc\x00\x7f\x9b2J", "a\\rb\\tc\\x00\\x7f\\x9b2J"),
        ("\u202etxt.exe\u2066", "\\u202etxt.exe\\u2066"),
        ("bytes \udcff", "bytes \\udcff"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    """ANSI sequences, line breaks, C0 and C1 controls, marks that turn the direction of writing; letters stay."""
    assert plain(text) == shown


@given(st.text())
def test_whatever_it_is_it_is_one_line_of_printable_text(text: str) -> None:
    """And what is printable is left alone."""
    assert plain(text).isprintable()
    assert plain(text) == text or not text.isprintable()
