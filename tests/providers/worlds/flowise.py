from orchestrator_app.providers.base import Provider
from tests.fakes.connections import flowise_connection
from tests.fakes.server import FakeServer
from tests.providers.worlds.world import SECRET, World


def build(provider: Provider, fake: FakeServer) -> World:
    flowise = fake.flowise
    flow = flowise.add_flow("Support", key=flowise.key)
    form = flowise.add_flow("Order", start="form", form=[{"type": "string", "label": "Name", "name": "name"}])
    works_on = flowise.add_flow("Report", start="webhook", webhook_mode="async")
    slow = flowise.add_flow("Slow", start="webhook", webhook_mode="async", seconds=None)
    calls_back = flowise.add_flow(
        "Approval", start="webhook", webhook_mode="async", callback_url=fake.url + "/echo/called-back"
    )
    return World(
        fake,
        provider,
        flowise_connection(flowise),
        flowise_connection(flowise, apiKey=SECRET),
        starts={"workflow_id": flow.id},
        is_polled={"workflow_id": works_on.id},
        calls_back={"workflow_id": calls_back.id},
        lasts={"workflow_id": slow.id},
        is_refused={"workflow_id": flow.id},
        workflow=flow.id,
        workflow_with_form=form.id,
    )
