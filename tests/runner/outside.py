"""A world whose nodes call the platforms of a fake server over real HTTP, each with a connection of its own."""

from collections.abc import Callable, Sized
from dataclasses import dataclass
from typing import Any

from orchestrator_app.domain.definition import Node
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.providers.simulated import SimulatedProvider
from orchestrator_app.services.connections import Connections
from tests.fakes.server import FakeServer
from tests.running import WORKSPACE, World, node

EMAIL = "ada@example.com"
DATA: JsonValue = {"email": EMAIL}


@dataclass
class Workflow:
    """A workflow on a platform.

    Attributes:
        node: Calls it.
        output: What comes out, as far as it says something.
        executions: The platform's own journal of what was started.
    """

    node: Node
    output: Any
    executions: Callable[[], Sized]


class Platforms:
    """A world whose nodes call the platforms of a fake server, each with a connection of its own."""

    def __init__(
        self, world: World, fake: FakeServer, connections: Connections, simulated: SimulatedProvider
    ) -> None:
        self.world = world
        self.fake = fake
        self._connections = connections
        self._simulated = simulated

    async def workflow(self, name: str) -> Workflow:
        """The workflow of this name, see ``WORKFLOWS``."""
        return await WORKFLOWS[name](self)

    async def connected(self, provider: str, **credentials: str) -> str:
        """The id of a new connection."""
        view = await self._connections.connect(WORKSPACE, provider, name=provider, credentials=credentials)
        return view.id

    async def n8n(self, release: int, mode: str, completion: str) -> Workflow:
        n8n = self.fake.n8n1 if release == 1 else self.fake.n8n2
        flow = n8n.add_workflow("Orders", mode=mode)
        connection = await self.connected("n8n", baseUrl=n8n.base, apiKey=n8n.key)
        return Workflow(calling("n8n", connection, flow.id, completion), DATA, lambda: flow.executions)

    async def make_run(self) -> Workflow:
        inputs = [{"name": name, "type": "text"} for name in ("email", "correlationId")]
        scenario = self.fake.make.add_scenario("Invoices", inputs=inputs)
        connection = await self._make_connection()
        called = calling("make", connection, str(scenario.id), "poll")
        return Workflow(called, {"got": DATA}, lambda: scenario.executions)

    async def make_hook(self) -> Workflow:
        scenario = self.fake.make.add_hook_scenario("Leads", respond=(200, {"total": 3}))
        called = calling("make", await self._make_connection(), str(scenario.id), "response")
        return Workflow(called, {"total": 3}, lambda: scenario.executions)

    async def make_without_id(self) -> Workflow:
        scenario = self.fake.make.add_scenario("Silent")
        called = calling("make", await self._make_connection(), str(scenario.id), "poll")
        return Workflow(called, None, lambda: scenario.executions)

    async def zapier(self, completion: str) -> Workflow:
        zapier = self.fake.zapier
        zap = zapier.add_zap("Leads", output=lambda data: {"row": data["email"]})
        credentials = {"apiUrl": zapier.api, "accessToken": zapier.token, "hookUrl": zap.hook_url}
        connection = await self.connected("zapier", mode="token", **credentials)
        called = calling("zapier", connection, zap.id, completion)
        return Workflow(called, {"row": EMAIL}, lambda: zapier.runs)

    async def flowise(self) -> Workflow:
        flowise = self.fake.flowise
        flow = flowise.add_flow("Support")
        connection = await self.connected("flowise", baseUrl=flowise.base, apiKey=flowise.key)
        called = node("a", "LocalFlow", connectionId=connection, flowId=flow.id, question="{{ data.email }}")
        return Workflow(called, {"question": EMAIL}, lambda: flowise.executions)

    async def flowise_hook(self) -> Workflow:
        flowise = self.fake.flowise
        flow = flowise.add_flow("Report", start="webhook", webhook_mode="async")
        connection = await self.connected("flowise", baseUrl=flowise.base, apiKey=flowise.key)
        called = calling("flowise", connection, flow.id, "poll")
        called.config["url"] = f"{flowise.base}/api/v1/webhook/{flow.id}"
        return Workflow(called, {"text": "You said: "}, lambda: flowise.executions)

    async def simulated(self) -> Workflow:
        called = calling("simulated", "simulated", "slow", "response")
        started = self._simulated._executions._started
        return Workflow(called, DATA, lambda: started)

    async def _make_connection(self) -> str:
        make = self.fake.make
        return await self.connected("make", zone=make.base, apiToken=make.token, teamId="16")


def calling(provider: str, connection: str, workflow: str, completion: str) -> Node:
    return node(
        "a",
        "RemoteWebhook",
        provider=provider,
        connectionId=connection,
        workflowId=workflow,
        completion=completion,
    )


WORKFLOWS: dict[str, Any] = {
    "n8n 2, response": lambda platforms: platforms.n8n(2, "lastNode", "response"),
    "n8n 2, poll": lambda platforms: platforms.n8n(2, "onReceived", "poll"),
    "n8n 1, poll": lambda platforms: platforms.n8n(1, "onReceived", "poll"),
    "Make, run": Platforms.make_run,
    "Make, webhook": Platforms.make_hook,
    "Zapier with a token": lambda platforms: platforms.zapier("poll"),
    "Zapier with a token, response": lambda platforms: platforms.zapier("response"),
    "Flowise": Platforms.flowise,
    "Flowise, webhook": Platforms.flowise_hook,
    "simulated": Platforms.simulated,
}
# Where the answer alone tells whether a call arrived; a webhook of Flowise that is polled is polled in any case.
OVER_HTTP = [name for name in WORKFLOWS if name not in {"simulated", "Flowise, webhook"}]
