from orchestrator_app.providers.base import Provider
from tests.fakes.connections import flowise_connection
from tests.fakes.server import FakeServer
from tests.providers.worlds.world import SECRET, World


def build(provider: Provider, fake: FakeServer) -> World:
    flow = fake.flowise.add_flow("Support", key=fake.flowise.key)
    return World(
        fake,
        provider,
        flowise_connection(fake.flowise),
        flowise_connection(fake.flowise, apiKey=SECRET),
        starts={"workflow_id": flow.id},
        is_refused={"workflow_id": flow.id},
        workflow=flow.id,
    )
