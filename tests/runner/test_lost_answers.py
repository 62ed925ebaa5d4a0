"""Calls that reached their platform and whose answer never came: found there, over real HTTP, and never made again.

The answer is lost in two ways: the connection breaks, or the process dies before it has written the answer down.
"""

from collections.abc import AsyncIterator, Callable, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.reconciliation import SEARCH_MS
from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.flowise import FlowiseProvider
from orchestrator_app.providers.make import MakeProvider
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.providers.simulated import SimulatedProvider
from orchestrator_app.providers.zapier import ZapierProvider
from orchestrator_app.security import tokens
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.gateway import Gateway
from orchestrator_app.services.views import RunDetail
from orchestrator_app.storage.database import Database
from tests.crashes import MortalWorld
from tests.fakes.server import FakeServer
from tests.running import (
    WORKSPACE,
    World,
    driven,
    failure_of,
    graph,
    mapper,
    messages_of,
    node,
    nodes_of,
    open_world,
)

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

    async def zapier(self) -> Workflow:
        zapier = self.fake.zapier
        zap = zapier.add_zap("Leads", output=lambda data: {"row": data["email"]})
        credentials = {"apiUrl": zapier.api, "accessToken": zapier.token, "hookUrl": zap.hook_url}
        connection = await self.connected("zapier", mode="token", **credentials)
        called = calling("zapier", connection, zap.id, "poll")
        return Workflow(called, {"row": EMAIL}, lambda: zapier.runs)

    async def flowise(self) -> Workflow:
        flowise = self.fake.flowise
        flow = flowise.add_flow("Support")
        connection = await self.connected("flowise", baseUrl=flowise.base, apiKey=flowise.key)
        called = node("a", "LocalFlow", connectionId=connection, flowId=flow.id, question="{{ data.email }}")
        return Workflow(called, {"question": EMAIL}, lambda: flowise.executions)

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
    "Zapier with a token": Platforms.zapier,
    "Flowise": Platforms.flowise,
    "simulated": Platforms.simulated,
}
OVER_HTTP = [name for name in WORKFLOWS if name != "simulated"]


@pytest.fixture
async def platforms(
    sqlite_database: Database,
    http_client: HttpClient,
    fake_server: FakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Platforms]:
    kinds: tuple[type[Provider], ...] = (N8nProvider, MakeProvider, ZapierProvider, FlowiseProvider)
    for kind in kinds:
        # The limit of looks is kept in real time, of which none passes here.
        monkeypatch.setattr(kind, "looks_per_minute", 60_000)
    async with open_world(sqlite_database) as world:
        simulated = SimulatedProvider(http_client, clock=lambda: world.clock.ms / 1000)
        providers = {kind.key: kind(http_client) for kind in kinds} | {"simulated": simulated}
        vault = Vault.open(None, tmp_path / "key")
        connections = Connections(
            sqlite_database, vault, providers, world.hub, now=world.clock.now, new_id=tokens.new_id
        )
        world.gateway = Gateway(providers, connections)
        await world.restart()
        yield Platforms(world, fake_server, connections, simulated)


def around(called: Node) -> Definition:
    return graph([called, mapper("b", got="data")], "a b")


async def after(world: World, run_id: str) -> RunDetail:
    run = await driven(world, run_id, answered=())
    assert run is not None
    return run


def assert_found(run: RunDetail, workflow: Workflow) -> None:
    """The run has the result of the one execution there is."""
    assert run.summary.state == "COMPLETED", run.summary.failure
    assert isinstance(run.output, dict)
    got = run.output["got"]
    assert says(got, workflow.output), got
    assert len(workflow.executions()) == 1
    (attempt,) = nodes_of(run)["a"].attempts
    assert failure_of(attempt)["code"] == "outcome_unknown"
    assert any("call that got no answer was found" in said for said in messages_of(run))


def says(value: Any, wanted: Any) -> bool:
    """Whether the value has all that is wanted, at whatever place."""
    if value == wanted:
        return True
    if isinstance(value, dict) and isinstance(wanted, dict):
        return all(name in value and says(value[name], item) for name, item in wanted.items()) or any(
            says(item, wanted) for item in value.values()
        )
    return False


async def died(mortal: MortalWorld, run_moment: str, definition: Definition) -> str:
    """The id of a run whose process died at this moment; another one has started."""
    await mortal.crash()
    await mortal.begin()
    mortal.life.end_at(run_moment)
    run_id = await mortal.world.start(definition, DATA)
    await mortal.life.is_over.wait()
    await mortal.crash()
    await mortal.begin()
    return run_id


@pytest.mark.parametrize("name", OVER_HTTP)
async def test_a_call_whose_connection_broke_is_found_on_its_platform(platforms: Platforms, name: str):
    workflow = await platforms.workflow(name)
    platforms.fake.lose_answers()
    run_id = await platforms.world.start(around(workflow.node), DATA)
    assert_found(await after(platforms.world, run_id), workflow)


async def test_a_simulated_workflow_that_was_given_up_is_found(platforms: Platforms):
    workflow = await platforms.workflow("simulated")
    workflow.node.config["timeout"] = 20
    run_id = await platforms.world.start(around(workflow.node), DATA)
    assert_found(await after(platforms.world, run_id), workflow)


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_a_call_whose_process_died_before_it_noted_the_answer_is_found(platforms: Platforms, name: str):
    workflow = await platforms.workflow(name)
    mortal = MortalWorld(platforms.world)
    run_id = await died(mortal, "after a call", around(workflow.node))
    assert len(workflow.executions()) == 1
    assert_found(await after(platforms.world, run_id), workflow)
    await mortal.crash()


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_of_a_call_that_its_platform_does_not_know_a_person_decides(platforms: Platforms, name: str):
    world = platforms.world
    workflow = await platforms.workflow(name)
    mortal = MortalWorld(world)
    run_id = await died(mortal, "before a call", around(workflow.node))
    begun = world.clock.ms
    run = await after(world, run_id)
    assert len(workflow.executions()) == 0
    failed = nodes_of(run)["a"]
    assert (failure_of(failed)["code"], failed.needs_decision) == ("outcome_unknown", True)
    assert "It was looked for on" in failure_of(failed)["message"]
    assert world.clock.ms - begun == SEARCH_MS
    await world.interventions.decide(WORKSPACE, run_id, "a", "retry", trigger="ui")
    run = await after(world, run_id)
    assert run.summary.state == "COMPLETED", run.summary.failure
    assert len(workflow.executions()) == 1
    await mortal.crash()


async def test_a_call_that_make_cannot_tell_from_others_is_left_to_a_person_with_a_link(platforms: Platforms):
    world = platforms.world
    workflow = await platforms.make_without_id()
    platforms.fake.lose_answers()
    run_id = await world.start(around(workflow.node), DATA)
    run = await after(world, run_id)
    failed = nodes_of(run)["a"]
    history = f"{platforms.fake.make.base}/16/scenarios/{workflow.node.config['workflowId']}/logs"
    assert (failure_of(failed)["code"], failed.needs_decision) == ("outcome_unknown", True)
    assert failure_of(failed)["message"].endswith(
        f"Make's log shows 1 execution since the call, and none that carries the id of the call. See {history}"
    )
    assert failure_of(failed)["detail"]["link"] == history
    await world.interventions.decide(WORKSPACE, run_id, "a", "done", output={"n": 1}, trigger="ui")
    run = await world.ended(run_id)
    assert (run.summary.state, run.output) == ("COMPLETED", {"got": {"n": 1}})
    assert len(workflow.executions()) == 1
