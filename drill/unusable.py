"""The one error of everything that a person gave and that cannot be used."""

from __future__ import annotations


class UnusableInput(Exception):
    """What the user gave cannot be used; the message says what, where and how to mend it, in one sentence."""
