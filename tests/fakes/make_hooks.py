"""The webhooks of the fake Make: they take data and answer “Accepted”, unless a Webhook response module answers."""

import json
from collections.abc import Callable
from typing import Protocol

from tests.fakes.make_scenario import FakeExecution, FakeHookCall, FakeScenario
from tests.fakes.wire import Received, Reply, json_reply, text_reply

_NOBODY = "There is no scenario listening for this webhook."


class Zone(Protocol):
    """What the webhooks need of the rest of the fake."""

    scenarios: dict[int, FakeScenario]
    queues_while_inactive: bool
    is_queue_full: bool
    hook_limited_times: int
    start: Callable[[FakeScenario, FakeExecution], FakeExecution]


async def answer_hook(zone: Zone, received: Received, udid: str) -> Reply:
    """What the webhook with this name answers."""
    scenario = next((each for each in zone.scenarios.values() if each.udid == udid), None)
    if scenario is None or scenario.is_hook_gone:
        return text_reply(_NOBODY, 410)
    call = FakeHookCall(received)
    scenario.hook_calls.append(call)
    call.response = await _reply(zone, scenario, received)
    return call.response


async def _reply(zone: Zone, scenario: FakeScenario, received: Received) -> Reply:
    if refusal := _refuse(zone, scenario, received):
        return refusal
    if not scenario.is_active:
        return text_reply("Accepted")  # it lies in the queue
    data = json.loads(received.body) if received.body else received.query
    run = zone.start(scenario, FakeExecution(scenario, data, is_instant=True))
    if scenario.respond is None:
        return text_reply("Accepted")
    await run.ended.wait()
    if scenario.fails:
        return text_reply("Scenario failed to complete.", 500)
    status, body = scenario.respond
    return json_reply(body, status)


def _refuse(zone: Zone, scenario: FakeScenario, received: Received) -> Reply | None:
    if zone.hook_limited_times > 0:
        zone.hook_limited_times -= 1
        return text_reply("Too many requests", 429)
    if scenario.hook_key and received.headers.get("x-make-apikey") != scenario.hook_key:
        return text_reply("Unauthorized", 401)
    if zone.is_queue_full:
        return text_reply("Queue is full.", 400)
    if not scenario.is_active and not zone.queues_while_inactive:
        return text_reply(_NOBODY, 410)
    return None
