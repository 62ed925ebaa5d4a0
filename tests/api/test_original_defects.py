"""What was wrong with the original stays mended. Where each of its defects is tested:

1. n8n's connections read as a list: tests/providers/test_n8n_original_defects.py
2. n8n's list read without paging: the same
3. n8n's and Make's active flag guessed: the same, and tests/providers/test_make_lists.py
4. Make's scenarios asked for without a team: tests/providers/test_make_lists.py
5. Make's blueprint taken from the wrong address: tests/providers/test_make_blueprint.py
6. Make's and n8n's runs started at addresses that do not exist: tests/providers/test_make_run.py and (1)
7. an API of Zapier that was invented: tests/providers/test_zapier.py
8. fixed addresses shadowed by ``/{id}``: below
9. connections looked up without their workspace: below
10. "polling is not supported for Make and Zapier": tests/providers/test_make_poll.py, test_zapier_runs.py
11. stored keys given out again: below
12. a callback that resumes any run without its token, or twice: below
"""

import httpx
import pytest

from orchestrator_app.errors import NotFound
from orchestrator_app.services.application import Application
from tests.api.calls import ROOT, token_of, waiting
from tests.fakes.server import FakeServer

FIXED = ("runs", "providers", "connections")


@pytest.mark.parametrize("place", FIXED)
async def test_a_fixed_address_is_not_taken_for_the_id_of_an_orchestrator(api: httpx.AsyncClient, place: str):
    answer = await api.get(f"{ROOT}/{place}")
    assert answer.status_code == 200
    assert "items" in answer.json()


async def test_the_address_of_callbacks_is_not_taken_for_an_orchestrator(api: httpx.AsyncClient):
    answer = await api.post(f"{ROOT}/callback", json={"correlationToken": "cb_unknown"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no such callback."


async def connection_id(api: httpx.AsyncClient, fake: FakeServer) -> str:
    credentials = {"baseUrl": fake.n8n2.base, "apiKey": fake.n8n2.key}
    answer = await api.post(f"{ROOT}/providers/n8n/connect", json={"name": "n8n", "credentials": credentials})
    return answer.json()["id"]


async def test_a_connection_is_found_in_its_own_workspace_only(
    api: httpx.AsyncClient, application: Application, fake_server: FakeServer
):
    own = await connection_id(api, fake_server)
    for look_up in (
        application.connections.get("another", own),
        application.connections.open("another", own),
        application.connections.usage("another", own),
    ):
        with pytest.raises(NotFound):
            await look_up


async def test_a_stored_key_is_never_given_out_again(api: httpx.AsyncClient, fake_server: FakeServer):
    own = await connection_id(api, fake_server)
    for address in ("connections", f"connections/{own}", "providers"):
        assert fake_server.n8n2.key not in (await api.get(f"{ROOT}/{address}")).text


async def test_a_callback_needs_its_token_and_has_one_effect(api: httpx.AsyncClient):
    run = await waiting(api)
    address = f"{ROOT}/callback/{run['id']}"
    for wrong in ("", "?token=", f"?token={run['id']}", "?token=cb_wrong"):
        assert (await api.post(address + wrong, json={"n": 1})).status_code == 404
    right = f"{address}?token={token_of(run)}"
    assert (await api.post(right, json={"n": 1})).status_code == 202
    again = await api.post(right, json={"n": 2})
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
