"""The real clock."""

import asyncio
import time


class SystemClock:
    """Wall time for due dates; asyncio's monotonic time for pauses."""

    def now(self) -> int:
        """UTC epoch milliseconds."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Pause this task."""
        await asyncio.sleep(seconds)
