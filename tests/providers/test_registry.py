"""The list of providers."""

from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.registry import PROVIDERS, build_providers
from orchestrator_app.providers.simulated import SimulatedProvider


def test_every_provider_stands_under_its_own_key():
    assert list(PROVIDERS) == ["custom", "n8n", "make", "zapier", "flowise", "simulated"]
    assert all(kind.key == key and kind.title for key, kind in PROVIDERS.items())


def test_one_instance_of_each_is_built_on_the_same_client(http_client: HttpClient):
    built = build_providers(http_client)
    assert {key: type(provider) for key, provider in built.items()} == PROVIDERS
    assert all(provider.client is http_client for provider in built.values())


def test_only_the_simulated_provider_gets_the_client_that_may_call_home(http_client: HttpClient):
    other = HttpClient.__new__(HttpClient)
    built = build_providers(http_client, callback_client=other)
    simulated = built["simulated"]
    assert isinstance(simulated, SimulatedProvider)
    assert simulated._callbacks._own_client is other
    assert all(provider.client is http_client for provider in built.values())
