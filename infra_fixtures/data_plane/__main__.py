"""`python -m infra_fixtures.data_plane LAYOUT_JSON`: the global process of a run, which starts all other processes of
the data plane.

The databases' files take a core for most of a second, so they are begun before the global process is even imported; the
regions' first processes are forked from it before it serves.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

from drill.unusable import UnusableInput
from infra_fixtures.data_plane.aurora import files
from infra_fixtures.processes.parent_death import die_with_starter
from infra_fixtures.run_layout import PRIVATE, RunLayout


def main(arguments: list[str]) -> int:
    """Run until SIGTERM; 2 with one sentence where the layout cannot be served."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m infra_fixtures.data_plane LAYOUT_JSON\n")
        return 2
    die_with_starter()
    os.umask(PRIVATE)
    layout = RunLayout.load(Path(arguments[0]))
    making_files = files.begin(layout, Path(layout.pg_bin), layout.pg_uid)
    from infra_fixtures.data_plane import global_process, region_manager, region_process
    from infra_fixtures.processes.fork_server import ForkedProcess, fork_process
    from infra_fixtures.processes.process_limits import prepare_process
    from infra_fixtures.processes.supervisor import log_of

    prepare_process()
    forked: dict[str, ForkedProcess] = {}
    for name in (r.name for r in layout.regions):
        log = log_of(layout, name, region_manager.PROCESS)
        forked[name] = fork_process(functools.partial(region_process.run, layout, name), log, forked.values())
    try:
        global_process.run(layout, making_files, forked)
    except UnusableInput as e:
        sys.stderr.write(f"{e}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
