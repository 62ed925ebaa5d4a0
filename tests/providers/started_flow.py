"""A flow of the fake Flowise that was called, as polling, callbacks and stopping see it."""

import asyncio
import json
from typing import Any

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteCall, RemoteLook
from orchestrator_app.providers.flowise import FlowiseProvider
from tests.fakes.connections import flowise_connection, remote_call
from tests.fakes.flowise import FakeFlowise

MOST_LOOKS = 500


class Started:
    """A call of a flow that has begun, as polling sees it."""

    def __init__(self, provider: FlowiseProvider, flowise: FakeFlowise, call: RemoteCall) -> None:
        self.provider = provider
        self.connection = flowise_connection(flowise)
        self.call = call
        self.memo: JsonObject = {}

    async def begin(self) -> None:
        self.memo = (await self.provider.execute(self.connection, self.call)).memo

    async def ended(self) -> RemoteLook:
        """The look that saw the end."""
        for _ in range(MOST_LOOKS):
            look = await self.look()
            if look.state != "running":
                return look
            await asyncio.sleep(0.005)
        raise AssertionError("it never ended")

    async def look(self) -> RemoteLook:
        look = await self.provider.poll(self.connection, self.call, self.memo)
        self.memo = json.loads(json.dumps(look.memo))
        return look


async def started(
    provider: FlowiseProvider, flowise: FakeFlowise, *, call: dict[str, Any] | None = None, **settings: Any
) -> Started:
    """A flow with an asynchronous webhook, called."""
    flow = flowise.add_flow(**{"start": "webhook", "webhook_mode": "async"} | settings)
    body = {"question": "hello"}
    about = {"workflow_id": flow.id, "completion": "poll", "body": body} | (call or {})
    begun = Started(provider, flowise, remote_call("flowise", **about))
    await begun.begin()
    return begun
