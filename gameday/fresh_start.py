"""A game day is what its command line says: what the host's environment would change of it is taken out first.

pytest and Python read some variables when they start, before anything of ours runs; where one of those is set, pytest is
started again without it, in the same process.
"""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from drill.host_environment import STARTED_WITH, restart_environment, settle
from drill.unusable import UnusableInput

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
PLUGINS = ("timeout", "allure_pytest", "junitxml", "terminal")
"""What a game day is ended by where it hangs, and written by."""


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """The first hook there is: nothing has been parsed to its end, and no scenario was imported."""
    config = pluginmanager.getplugin("pytestconfig")
    given = [str(word) for word in config.invocation_params.args]
    if plays_scenarios(given):
        _start_anew(pluginmanager, given)
        settle(os.environ)
        os.umask(os.umask(0o077) | 0o022)  # records may be kept from others' eyes, and always are from their hands


def plays_scenarios(words: Sequence[str]) -> bool:
    """Whether pytest with these words plays scenarios: a path or node id among them is one of theirs.

    Without any path it is the directory that it is started in that counts.
    """
    paths = [word.partition("::")[0] for word in words if not word.startswith("-")]
    return any(Path(path).resolve().is_relative_to(SCENARIOS) for path in paths or ["."])


def need_plugins(config: pytest.Config) -> None:
    """The plugins that a game day needs are there; `-p no:` switches them off."""
    lacking = [name for name in PLUGINS if not config.pluginmanager.hasplugin(name)]
    if lacking:
        raise UnusableInput(
            f"a game day needs pytest's plugin {', '.join(lacking)}, which is switched off: leave -p no: away"
        )


def _start_anew(pluginmanager: pytest.PytestPluginManager, given: list[str]) -> None:
    is_utf8 = bool(sys.flags.utf8_mode) or locale.getpreferredencoding(False).lower().replace("-", "") == "utf8"
    wanted = restart_environment(os.environ, is_utf8=is_utf8)
    if wanted is None:
        return
    if sys.argv[1:] != given:
        found = ", ".join(sorted(STARTED_WITH & os.environ.keys())) or "the locale's encoding, which is not UTF-8"
        raise pytest.UsageError(f"a game day is not to be changed by {found}: unset it, and set PYTHONUTF8=1")
    capture = pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)
