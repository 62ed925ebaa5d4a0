import time

from orchestrator_app.runner.clock import SystemClock


async def test_the_clock_gives_milliseconds_since_1970():
    before = time.time() * 1000
    assert before - 1 <= SystemClock().now() <= time.time() * 1000 + 1


async def test_the_clock_pauses():
    before = time.monotonic()
    await SystemClock().sleep(0.01)
    assert time.monotonic() - before >= 0.009
