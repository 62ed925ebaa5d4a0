"""A bell: whatever happens to a run while it is worked on rings it."""

import asyncio


class Bell:
    """Heard by one task, however many things ring it.

    It does what ``asyncio.wait`` over tasks and an event would do, without watching each of them anew at every turn.
    """

    def __init__(self) -> None:
        self._has_rung = False
        self._heard: asyncio.Future[None] | None = None

    def ring(self, _reason: object = None) -> None:
        """Something has happened; can be called when a task is done."""
        self._has_rung = True
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)

    async def heard(self, timeout_seconds: float | None) -> bool:
        """Wait until it rings; False when the time is over. What has rung before this was called counts once."""
        if not self._has_rung:
            loop = asyncio.get_running_loop()
            self._heard = loop.create_future()
            over = None if timeout_seconds is None else loop.call_later(timeout_seconds, self._give_up)
            try:
                await self._heard
            finally:
                self._heard = None
                if over is not None:
                    over.cancel()
        has_rung, self._has_rung = self._has_rung, False
        return has_rung

    def _give_up(self) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)


class Nudge(asyncio.Event):
    """Set when something has happened to a run that its worker does not know yet; also rings the worker's bell."""

    def __init__(self) -> None:
        super().__init__()
        self.bell: Bell | None = None

    def set(self) -> None:
        """See ``asyncio.Event``."""
        super().set()
        if self.bell is not None:
            self.bell.ring()
