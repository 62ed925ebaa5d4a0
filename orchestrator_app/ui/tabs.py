"""Browser tabs when several processes serve: Redis knows what they show, and which process each is connected to."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import reflex as rx
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from reflex.utils.token_manager import RedisTokenManager
from socketio.exceptions import ConnectionRefusedError as Refused

log = logging.getLogger(__name__)

# A tab that moves to another process may be there before the old one has seen it leave.
MOVE_SECONDS = 1.0
LOOK_FOR_LEAVING_SECONDS = 0.05
LOOK_AT_REDIS_SECONDS = 1.0
# Longer than any pause of a healthy server.
ANSWER_SECONDS = 5.0


class SharedTabs(RedisTokenManager):
    """Keeps tabs apart by their names, and lets each keep its name when it moves to another process.

    A duplicated tab brings a copy of the other one's name, so Reflex gives a new name to whoever brings one that is
    taken; with it, the tab would lose what it shows and has not saved. But Reflex takes a name for taken as long as Redis
    has a record of it: for days when the process that wrote it was killed, and for a moment when the tab was quicker
    than the news that it has left.

    Args:
        url: The Redis server.
    """

    def __init__(self, url: str) -> None:
        self._name = uuid4().hex
        super().__init__(Redis.from_url(url, client_name=self._name))
        # It would tell of every second in which Redis cannot be listened to.
        logging.getLogger("reflex.utils.tasks").setLevel(logging.CRITICAL)
        self._connections: set[asyncio.Task[Any]] = set()
        self._probe = Redis.from_url(url, client_name=self._name, retry=Retry(NoBackoff(), 0))
        self._is_away = False
        self._server = ""

    async def link_token_to_sid(self, token: str, sid: str) -> str | None:
        """See Reflex. While Redis is away the tab is refused: it says that the connection is lost, and tries again."""
        try:
            if self._is_away:
                raise Refused("Redis is away")
            await self._let_go(token)
        except RedisError as error:
            raise Refused("Redis is away") from error
        # A websocket is one task from its beginning to its end.
        if (connection := asyncio.current_task()) is not None:
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)
        return await super().link_token_to_sid(token, sid)

    async def _let_go(self, token: str) -> None:
        """Wait until the connection that the tab had before is gone; forget it when its process is gone."""
        key = self._get_redis_key(token)
        for _ in range(round(MOVE_SECONDS / LOOK_FOR_LEAVING_SECONDS)):
            if not await self.redis.exists(key):
                return
            record = await self._fetch_socket_record(token)
            if record is not None and not await self._is_there(record.instance_id):
                # What the process had begun with the tab's state, it will not end.
                await self.redis.delete(key, f"{token}_lock")
                return
            await asyncio.sleep(LOOK_FOR_LEAVING_SECONDS)

    async def _is_there(self, instance_id: str) -> bool:
        """Whether the process is connected to Redis, where all its connections have its name."""
        return any(client["name"] == instance_id for client in await self.redis.client_list())

    def _reset_instance_id(self) -> None:
        """See Reflex, which would give a new name after the connections have theirs."""
        self.instance_id = self._name

    # --- when Redis is away ---

    @asynccontextmanager
    async def watching_redis(self) -> AsyncGenerator[None]:
        """Close the tabs' connections when Redis goes, or comes back without what it knew; they connect again."""
        task = asyncio.create_task(self._watch(), name="watch Redis")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._probe.aclose()

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:
                # Nothing may end it.
                log.exception("watching Redis failed")
            await asyncio.sleep(LOOK_AT_REDIS_SECONDS)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                server = str((await self._probe.info("server"))["run_id"])
        except (RedisError, OSError, TimeoutError) as error:
            if not self._is_away:
                log.warning("open pages wait for Redis, all else goes on: %s", error or "it does not answer")
                self._is_away = True
                self._close_connections()
            return
        if self._is_away:
            log.warning("Redis is back")
        elif self._server not in {"", server}:
            log.warning("Redis was started anew, so open pages are loaded again")
            self._close_connections()
        self._is_away, self._server = False, server

    def _close_connections(self) -> None:
        """Cut the websockets: a tab that is sent off would not connect again, one that is cut off does."""
        for connection in self._connections:
            connection.cancel()


def share_tabs(app: rx.App, url: str) -> None:
    """Let the app's tabs be served by several processes that have the Redis server in common."""
    tabs = SharedTabs(url)
    if app.event_namespace is not None:
        app.event_namespace._token_manager = tabs  # noqa: SLF001 - Reflex has no setting for it
    app.register_lifespan_task(tabs.watching_redis)
