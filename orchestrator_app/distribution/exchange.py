"""What the processes on one database tell each other, by NOTIFY of PostgreSQL.

Nothing depends on it that a message arrives: whoever listens looks at the rows now and then as well.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Generator, Mapping
from typing import Any
from uuid import uuid4

from orchestrator_app.errors import OrchestratorError
from orchestrator_app.storage import engines
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection, DatabaseError, text

log = logging.getLogger(__name__)

CHANNEL = "orchestrator"
# PostgreSQL takes less than 8000 bytes.
MOST_BYTES = 7_900
# A connection that is dead without a word is noticed within this time.
LOOK_AGAIN_SECONDS = 20.0
RETRY_SECONDS = 1.0

_NOTIFY = text("SELECT pg_notify(:channel, :words)")

Heard = Callable[[Any], None]


class Exchange:
    """Tells the other processes, and hears them.

    What is told in one turn of the event loop, for instance after a shared commit, travels in one message; of the same
    thing only the newest. Who tells does not hear it itself.

    Args:
        database: Where to tell; its readers do it, so that it neither waits for the disk nor keeps the writer waiting.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name = uuid4().hex
        self._heard: dict[str, Heard] = {}
        self._untold: dict[tuple[str, str], Any] = {}
        self._telling: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._is_listening = asyncio.Event()

    def on(self, topic: str, heard: Heard) -> None:
        """Call ``heard`` with whatever others tell about the topic."""
        self._heard[topic] = heard

    def tell(self, topic: str, key: str, item: Any) -> None:
        """Let all other processes know the item, which is JSON; must be called on the event loop's thread."""
        self._untold[topic, key] = item
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(), name="tell the others")

    async def start(self) -> None:
        """Begin to listen; returns when others are heard, or soon when the database cannot be reached."""
        self._listening = asyncio.create_task(self._listen(), name="hear the others")
        waiting = asyncio.create_task(self._is_listening.wait())
        await asyncio.wait({waiting}, timeout=RETRY_SECONDS)
        waiting.cancel()

    async def stop(self) -> None:
        """Tell what is left, and listen no more."""
        if self._telling is not None:
            await self._telling
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _tell(self) -> None:
        while self._untold:
            untold, self._untold = self._untold, {}
            messages = list(_messages(self._name, untold))

            def notify(connection: Connection, messages: list[str] = messages) -> None:
                for words in messages:
                    connection.execute(_NOTIFY, {"channel": CHANNEL, "words": words})

            try:
                await self._database.read(notify)
            except OrchestratorError as error:
                log.warning(
                    "the other processes could not be told of %d changes: %s", len(untold), error.message
                )

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except DatabaseError as error:
                log.warning("the other processes are not heard: %s", error)
            except Exception:
                # Nothing may end the listening.
                log.exception("listening to the other processes failed")
            self._is_listening.clear()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        async with engines.open_listener(self._database.url, CHANNEL) as notifications:
            self._is_listening.set()
            async for words in notifications(LOOK_AGAIN_SECONDS):
                self._hear(words)

    def _hear(self, words: str) -> None:
        message: dict[str, Any] = json.loads(words)
        if message["from"] == self._name:
            return
        for topic, item in message["told"]:
            if heard := self._heard.get(topic):
                heard(item)


def _messages(name: str, untold: Mapping[tuple[str, str], Any]) -> Generator[str]:
    """As few messages as they fit into."""
    room = MOST_BYTES - len(_message(name, []))
    told: list[str] = []
    size = 0
    for (topic, _), item in untold.items():
        words = json.dumps([topic, item], separators=(",", ":"))
        if told and size + len(words) + 1 > room:
            yield _message(name, told)
            told, size = [], 0
        told.append(words)
        size += len(words) + 1
    yield _message(name, told)


def _message(name: str, told: list[str]) -> str:
    return f'{{"from":"{name}","told":[{",".join(told)}]}}'
