from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.connection import Connection
from tests.fakes.server import FakeServer
from tests.providers.worlds.world import SECRET, World


def build(provider: Provider, fake: FakeServer) -> World:
    connection = Connection("simulated", "simulated", "Built in", {"x": SECRET})
    return World(
        fake,
        provider,
        connection,
        connection,
        starts={"workflow_id": "echo"},
        is_polled={"workflow_id": "polling", "body": {"seconds": 0}},
        calls_back={"workflow_id": "calling-back", "body": {"seconds": 0}},
        lasts={"workflow_id": "polling", "body": {"seconds": 60}},
        is_refused={"workflow_id": "nothing"},
        workflow="echo",
        workflow_with_form="crm-lookup",
    )
