"""`python -m infra_fixtures.data_plane SITE_JSON`: the backbone of a run, which starts all other processes of the data plane.

The databases' files take a core for most of a second, so they are begun before the backbone is even imported; the regions'
first processes are forked from it before it serves.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

from drill.unusable import UnusableInput
from infra_fixtures.data_plane.aurora import files
from infra_fixtures.data_plane.parent_death import die_with_starter
from infra_fixtures.site import PRIVATE, Site


def main(arguments: list[str]) -> int:
    """Run until SIGTERM; 2 with one sentence where the site cannot be served."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m infra_fixtures.data_plane SITE_JSON\n")
        return 2
    die_with_starter()
    os.umask(PRIVATE)
    site = Site.load(Path(arguments[0]))
    making_files = files.begin(site, Path(site.pg_bin), site.pg_uid) if site.pg_bin else None
    from infra_fixtures.data_plane import backbone, region, regions
    from infra_fixtures.data_plane.prefork import Waiting, fork_waiting
    from infra_fixtures.data_plane.process_limits import prepare_process
    from infra_fixtures.data_plane.supervisor import log_of

    prepare_process()
    waiting: dict[str, Waiting] = {}
    for name in (r.name for r in site.regions):
        log = log_of(site, name, regions.PROCESS)
        waiting[name] = fork_waiting(functools.partial(region.run, site, name), log, waiting.values())
    try:
        backbone.run(site, making_files, waiting)
    except UnusableInput as e:
        sys.stderr.write(f"{e}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
