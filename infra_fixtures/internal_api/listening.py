"""Where control APIs listen, and their listener: up on entry, gone on exit without waiting for idle connections.

Nobody without the run's bearer secret is let in.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from infra_fixtures.access.bearer import demanding
from infra_fixtures.access.credentials import Credentials
from infra_fixtures.run_layout import AWS_PORT, Address, RegionLayout


def control_address(region: RegionLayout) -> Address:
    """Where a region's process answers the global process; Runtime APIs share the host on ports from the ephemeral range."""
    return Address(region.runtime_host, AWS_PORT)


@contextlib.asynccontextmanager
async def listening(application: web.Application, address: Address, credentials: Credentials) -> AsyncIterator[None]:
    """Serve an application on an address to whoever bears the secret; OSError where it is taken."""
    application.middlewares.insert(0, demanding(credentials))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port, shutdown_timeout=0.1).start()
        yield
    finally:
        await runner.cleanup()
