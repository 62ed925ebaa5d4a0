"""How many looks one connection may make: its platform's rate limit, and its share of what can be done at once."""

from aiolimiter import AsyncLimiter

# A platform that hangs must not keep the others waiting.
MOST_AT_ONCE = 20
MAX_PAUSE_MS = 15 * 60_000
# The limit is kept over stretches of this length, so that the looks of a minute do not come in one burst.
_STRETCH_SECONDS = 6.0
_MINUTE_SECONDS = 60.0


class LookQueue:
    """The looks of one connection. Those without room are told when their turn is, in the order in which they ask."""

    def __init__(self, looks_per_minute: int) -> None:
        per_stretch = max(1.0, looks_per_minute * _STRETCH_SECONDS / _MINUTE_SECONDS)
        self._limiter = AsyncLimiter(per_stretch, per_stretch * _MINUTE_SECONDS / looks_per_minute)
        self._spacing_ms = max(1, round(_MINUTE_SECONDS * 1000 / looks_per_minute))
        self._under_way = 0
        self._last_turn = 0
        self._paused_until = 0
        self._now = 0

    @property
    def is_idle(self) -> bool:
        """Whether no look is under way."""
        return self._under_way == 0

    async def enter(self, now: int) -> int:
        """Ask for room at this time.

        Returns:
            0 when the look may be made now, else the time of its turn.
        """
        if now < self._now:
            # The clock was set back; what was promised by the other time means nothing any more.
            self._last_turn = self._paused_until = 0
        self._now = now
        is_paused = now < self._paused_until
        if is_paused or self._under_way >= MOST_AT_ONCE or not self._limiter.has_capacity():
            earliest = max(now, self._paused_until, self._last_turn)
            self._last_turn = earliest + self._spacing_ms
            return self._last_turn
        await self._limiter.acquire()  # there is room, so it does not wait
        self._under_way += 1
        return 0

    def leave(self) -> None:
        """A look is over."""
        self._under_way -= 1

    def pause(self, until: int) -> None:
        """The platform wants to be left alone until then."""
        self._paused_until = max(self._paused_until, min(until, self._now + MAX_PAUSE_MS))
