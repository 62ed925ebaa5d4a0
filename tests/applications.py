"""The whole application in the process of a test, on a database of its own, without what takes time at each start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from unittest.mock import patch

from orchestrator_app import wiring
from orchestrator_app.config import Settings
from orchestrator_app.services.application import Application
from orchestrator_app.storage import engines

# To read the certificates of all authorities takes longer than most tests; they are the same for each.
_authorities = cache(wiring.trusted_authorities)


@asynccontextmanager
async def opened_quickly(settings: Settings) -> AsyncIterator[Application]:
    """Everything running. It does not wait for the disk: nobody needs this data after a crash."""
    with (
        patch.object(wiring, "trusted_authorities", _authorities),
        patch.object(engines, "SQLITE_SYNCHRONOUS", "OFF"),
    ):
        async with wiring.open_application(settings) as application:
            yield application
