from orchestrator_app.providers.base import Provider
from tests.fakes.connections import make_connection
from tests.fakes.server import FakeServer
from tests.providers.worlds.world import SECRET, World


def build(provider: Provider, fake: FakeServer) -> World:
    make = fake.make
    answers = make.add_scenario("Invoices")
    works_on = make.add_scenario("Reports", seconds=0.02)
    asks = make.add_scenario("Leads", inputs=[{"name": "email", "type": "email", "required": True}])
    return World(
        fake,
        provider,
        make_connection(make),
        make_connection(make, apiToken=SECRET),
        starts={"workflow_id": str(answers.id)},
        is_polled={"workflow_id": str(works_on.id)},
        calls_back={"workflow_id": str(works_on.id)},
        is_refused={"workflow_id": str(answers.id)},
        workflow=str(answers.id),
        workflow_with_form=str(asks.id),
    )
