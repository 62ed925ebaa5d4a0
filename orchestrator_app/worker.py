"""A worker process: works on runs beside other processes that share its database, until it is asked to stop."""

import asyncio
import signal
from collections.abc import Callable

from orchestrator_app.config import Settings
from orchestrator_app.errors import ConfigurationError
from orchestrator_app.wiring import open_application


async def work(settings: Settings, *, on_ready: Callable[[], None]) -> None:
    """Take runs until SIGINT or SIGTERM; a second one ends the process at once.

    Raises:
        ConfigurationError: There is no database that could be shared.
    """
    if not settings.database_url.startswith("postgresql://"):
        raise ConfigurationError(
            ["A worker needs a PostgreSQL database: set ORCHESTRATOR_DATABASE_URL to its postgresql:// URL."]
        )
    stop_asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop(number: signal.Signals) -> None:
        stop_asked.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask_to_stop, number)
    async with open_application(settings, is_worker=True):
        on_ready()
        await stop_asked.wait()
