"""All providers, written out by hand: this list is what the program offers."""

from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.custom import CustomProvider
from orchestrator_app.providers.flowise import FlowiseProvider
from orchestrator_app.providers.make import MakeProvider
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.providers.simulated import SimulatedProvider
from orchestrator_app.providers.zapier import ZapierProvider

PROVIDERS: dict[str, type[Provider]] = {
    CustomProvider.key: CustomProvider,
    N8nProvider.key: N8nProvider,
    MakeProvider.key: MakeProvider,
    ZapierProvider.key: ZapierProvider,
    FlowiseProvider.key: FlowiseProvider,
    SimulatedProvider.key: SimulatedProvider,
}


def build_providers(client: HttpClient, *, callback_client: HttpClient | None = None) -> dict[str, Provider]:
    """One instance of each provider.

    Args:
        client: The guarded client all of them use.
        callback_client: A client that may reach this program itself, so that the simulated provider can call back
            as a platform outside does. Without it the guard of ``client`` decides.
    """
    providers = {key: kind(client) for key, kind in PROVIDERS.items()}
    providers[SimulatedProvider.key] = SimulatedProvider(client, callback_client=callback_client)
    return providers
