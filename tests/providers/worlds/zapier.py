from orchestrator_app.providers.base import Provider
from tests.fakes.connections import zapier_connection
from tests.fakes.server import FakeServer
from tests.providers.worlds.world import SECRET, World


def build(provider: Provider, fake: FakeServer) -> World:
    zapier = fake.zapier
    zap = zapier.add_zap("New lead to sheet")
    calls_back = zapier.add_zap("Approvals", calls_back=True)
    return World(
        fake,
        provider,
        zapier_connection(zapier, hookUrl=zap.hook_url),
        zapier_connection(zapier, accessToken=SECRET, hookUrl=f"{zapier.hooks}/1234567/{SECRET}/"),
        starts={},
        is_polled={"workflow_id": zap.id},
        calls_back={"url": calls_back.hook_url},
        is_refused={"workflow_id": zap.id},
        workflow=zap.id,
    )
