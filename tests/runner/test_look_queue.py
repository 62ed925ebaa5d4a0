from orchestrator_app.runner.look_queue import MAX_PAUSE_MS, MOST_AT_ONCE, LookQueue

NOW = 1_700_000_000_000


async def entered(queue: LookQueue, count: int, now: int = NOW) -> list[int]:
    return [await queue.enter(now) for _ in range(count)]


async def test_looks_within_the_limit_may_be_made_at_once():
    queue = LookQueue(60)
    assert queue.is_idle
    assert await entered(queue, 6) == [0] * 6
    assert not queue.is_idle


async def test_looks_beyond_the_limit_get_turns_in_the_order_in_which_they_ask():
    queue = LookQueue(60)
    await entered(queue, 6)
    assert await entered(queue, 3) == [NOW + 1_000, NOW + 2_000, NOW + 3_000]
    assert await entered(queue, 1, NOW + 500) == [NOW + 4_000]


async def test_the_slowest_platform_is_looked_at_all_the_same():
    queue = LookQueue(1)
    assert await entered(queue, 2) == [0, NOW + 60_000]


async def test_a_platform_that_hangs_takes_no_more_than_its_share():
    queue = LookQueue(600_000)
    assert await entered(queue, MOST_AT_ONCE + 1) == [0] * MOST_AT_ONCE + [NOW + 1]
    queue.leave()
    assert await queue.enter(NOW) == 0


async def test_a_platform_that_wants_a_pause_gets_it():
    queue = LookQueue(60)
    await queue.enter(NOW)
    queue.pause(NOW + 30_000)
    queue.pause(NOW + 10_000)
    assert await entered(queue, 2) == [NOW + 31_000, NOW + 32_000]
    assert await queue.enter(NOW + 30_000) == 0


async def test_a_pause_has_an_end_whatever_the_platform_says():
    queue = LookQueue(60)
    await queue.enter(NOW)
    queue.pause(NOW + 10**12)
    assert await queue.enter(NOW) == NOW + MAX_PAUSE_MS + 1_000


async def test_turns_promised_by_a_clock_that_was_wrong_are_forgotten():
    queue = LookQueue(60)
    await queue.enter(NOW)
    queue.pause(NOW + 30_000)
    await entered(queue, 3)
    earlier = NOW - 3_600_000
    assert await queue.enter(earlier) == 0
