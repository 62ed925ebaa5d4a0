"""A world for each provider: the provider with something on the other side, for the suite that all of them pass."""

from collections.abc import Callable

from orchestrator_app.providers.base import Provider
from tests.fakes.server import FakeServer
from tests.providers.worlds import custom, flowise, make, n8n, simulated, zapier
from tests.providers.worlds.world import World

WORLDS: dict[str, Callable[[Provider, FakeServer], World]] = {
    "custom": custom.build,
    "n8n": n8n.build,
    "make": make.build,
    "zapier": zapier.build,
    "flowise": flowise.build,
    "simulated": simulated.build,
}
