from orchestrator_app.providers.base import Provider
from tests.fakes.connections import n8n_connection
from tests.fakes.server import FakeServer
from tests.providers.worlds.world import SECRET, World


def build(provider: Provider, fake: FakeServer) -> World:
    n8n = fake.n8n2
    answers = n8n.add_workflow("Orders", mode="lastNode")
    works_on = n8n.add_workflow("Reports", mode="onReceived")
    slow = n8n.add_workflow("Slow", mode="onReceived", seconds=None)
    form = n8n.add_workflow("Requests", trigger="form", form_fields=[{"fieldLabel": "Name"}])
    calls_back = n8n.add_workflow("Approvals", mode="onReceived", calls_back=True)
    return World(
        fake,
        provider,
        n8n_connection(n8n),
        n8n_connection(n8n, apiKey=SECRET),
        starts={"workflow_id": answers.id},
        is_polled={"workflow_id": works_on.id},
        calls_back={"workflow_id": calls_back.id},
        lasts={"workflow_id": slow.id},
        is_refused={"workflow_id": answers.id},
        workflow=answers.id,
        workflow_with_form=form.id,
    )
