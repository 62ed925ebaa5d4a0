from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.connection import Connection
from tests.fakes.server import FakeServer
from tests.providers.worlds.world import SECRET, World


def build(provider: Provider, fake: FakeServer) -> World:
    values = {"origin": fake.url, "headerName": "X-Key", "headerValue": SECRET}
    connection = Connection("c", "custom", "API", values)
    return World(
        fake,
        provider,
        connection,
        connection,
        starts={"url": fake.url + "/echo"},
        is_polled={"url": fake.url + "/job/a", "status_url": fake.url + "/job/a"},
        calls_back={"url": fake.url + "/calls-back?ms=0"},
        is_refused={"url": fake.url + "/status/401"},
        end={"status": "done", "result": {"looks": 2}},
    )
