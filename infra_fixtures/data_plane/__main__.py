"""`python -m infra_fixtures.data_plane SITE_JSON`: the backbone of a run, which starts all other processes of the data plane.

The databases' files take a core for most of a second, so they are begun before the backbone is even imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

from drill.unusable import UnusableInput
from infra_fixtures.data_plane.aurora import files
from infra_fixtures.site import Site


def main(arguments: list[str]) -> int:
    """Run until SIGTERM; 2 with one sentence where the site cannot be served."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m infra_fixtures.data_plane SITE_JSON\n")
        return 2
    site = Site.load(Path(arguments[0]))
    begun = files.begin(site, Path(site.pg_bin), site.pg_uid) if site.pg_bin else None
    from infra_fixtures.data_plane import backbone

    try:
        backbone.run(site, begun)
    except UnusableInput as e:
        sys.stderr.write(f"{e}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
