"""Limits, the queue and signed callbacks over the API."""

import time
from typing import Any

import httpx
import pytest

from orchestrator_app.security.signatures import signature
from orchestrator_app.services.application import DEFAULT_WORKSPACE, Application
from tests.api.calls import COPY, ROOT, WAIT, assert_problem, create, token_of, waiting

BODY = b'{"approved": true}'


async def run_of(api: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    return (await api.get(f"{ROOT}/runs/{run_id}")).json()


async def secret_of(api: httpx.AsyncClient, orchestrator_id: str) -> str:
    answer = await api.post(f"{ROOT}/{orchestrator_id}/signing-secret")
    assert answer.status_code == 201, answer.text
    return answer.json()["secret"]


def signed(
    secret: str, *, message_id: str = "msg_1", at: float | None = None, body: bytes = BODY
) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }


async def test_settings_are_empty_until_somebody_sets_them(api: httpx.AsyncClient):
    orchestrator_id = await create(api)
    answer = await api.get(f"{ROOT}/{orchestrator_id}/settings")
    empty = {"concurrency": None, "deadlineSeconds": None, "signsCallbacks": False, "updatedDate": None}
    assert answer.json() == empty
    changed = await api.put(
        f"{ROOT}/{orchestrator_id}/settings", json={"concurrency": 2, "deadlineSeconds": 90}
    )
    assert changed.status_code == 200
    assert changed.json() == (await api.get(f"{ROOT}/{orchestrator_id}/settings")).json()
    assert (changed.json()["concurrency"], changed.json()["deadlineSeconds"]) == (2, 90)
    cleared = await api.put(
        f"{ROOT}/{orchestrator_id}/settings", json={"concurrency": None, "deadlineSeconds": None}
    )
    assert cleared.json() | {"updatedDate": None} == empty


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"concurrency": 1},
        {"concurrency": 0, "deadlineSeconds": None},
        {"concurrency": 1_001, "deadlineSeconds": None},
        {"concurrency": "1", "deadlineSeconds": None},
        {"concurrency": None, "deadlineSeconds": 0},
        {"concurrency": None, "deadlineSeconds": 1.5},
        {"concurrency": None, "deadlineSeconds": None, "more": 1},
    ],
)
async def test_limits_out_of_range_are_refused(api: httpx.AsyncClient, limits: dict[str, Any]):
    answer = await api.put(f"{ROOT}/{await create(api)}/settings", json=limits)
    assert_problem(answer, 422, "invalid_input")


async def test_an_orchestrator_that_is_not_there_has_no_settings(api: httpx.AsyncClient):
    limits = {"concurrency": 1, "deadlineSeconds": None}
    assert_problem(await api.get(f"{ROOT}/nothing/settings"), 404, "not_found")
    assert_problem(await api.put(f"{ROOT}/nothing/settings", json=limits), 404, "not_found")
    assert_problem(await api.post(f"{ROOT}/nothing/signing-secret"), 404, "not_found")
    assert_problem(await api.delete(f"{ROOT}/nothing/signing-secret"), 404, "not_found")


async def test_the_queue_tells_who_waits_for_whom(api: httpx.AsyncClient):
    assert (await api.get(f"{ROOT}/queue")).json() == {
        "running": 0,
        "queued": 0,
        "waiting": 0,
        "byOrchestrator": [],
    }
    orchestrator_id = await create(api, WAIT)
    await api.put(f"{ROOT}/{orchestrator_id}/settings", json={"concurrency": 1, "deadlineSeconds": None})
    first = (await api.post(f"{ROOT}/{orchestrator_id}/run")).json()["id"]
    others = [(await api.post(f"{ROOT}/{orchestrator_id}/run")).json() for _ in range(2)]
    while (await run_of(api, first))["status"] != "WAITING":
        pass
    assert (await api.get(f"{ROOT}/queue")).json() == {
        "running": 0,
        "queued": 2,
        "waiting": 1,
        "byOrchestrator": [
            {
                "orchestratorId": orchestrator_id,
                "orchestratorName": "Orders",
                "queued": 2,
                "running": 0,
                "waiting": 1,
                "concurrency": 1,
            }
        ],
    }
    await api.post(f"{ROOT}/runs/{first}/cancel")
    while (await run_of(api, others[0]["id"]))["status"] != "WAITING":
        pass
    assert (await run_of(api, others[1]["id"]))["status"] == "PENDING"


async def test_a_run_past_the_deadline_of_its_orchestrator_fails(api: httpx.AsyncClient):
    orchestrator_id = await create(api, WAIT)
    await api.put(f"{ROOT}/{orchestrator_id}/settings", json={"concurrency": None, "deadlineSeconds": 1})
    run = (await api.post(f"{ROOT}/{orchestrator_id}/run?wait=20")).json()
    assert (run["status"], run["failure"]["code"]) == ("FAILED", "run_deadline")


async def test_a_signed_callback_is_taken_once(api: httpx.AsyncClient):
    run = await waiting(api)
    secret = await secret_of(api, run["orchestratorId"])
    address = f"{ROOT}/callback/{run['id']}?token={token_of(run)}"
    for status, said in ((202, "accepted"), (200, "duplicate")):
        answer = await api.post(address, content=BODY, headers=signed(secret))
        assert (answer.status_code, answer.json()["status"]) == (status, said)


async def test_whatever_is_not_rightly_signed_gets_the_answer_of_a_wrong_token(api: httpx.AsyncClient):
    run = await waiting(api)
    old = await secret_of(api, run["orchestratorId"])
    secret = await secret_of(api, run["orchestratorId"])
    token = token_of(run)
    wrong = await api.post(
        f"{ROOT}/callback/{run['id']}?token=cb_wrong", content=BODY, headers=signed(secret)
    )
    now = time.time()
    tried = [
        {"content-type": "application/json"},
        signed(old),
        signed(secret, at=now - 310),
        signed(secret, at=now + 310),
        signed(secret, body=b"{}"),
        signed(secret) | {"webhook-id": "msg_2"},
        {name: value for name, value in signed(secret).items() if name != "webhook-id"},
    ]
    for headers in tried:
        for address in (f"{ROOT}/callback/{run['id']}", f"{ROOT}/callback"):
            answer = await api.post(f"{address}?token={token}", content=BODY, headers=headers)
            assert_problem(answer, 404, "not_found")
            assert answer.content == wrong.content
    assert (await run_of(api, run["id"]))["status"] == "WAITING"
    both = signed(old)["webhook-signature"] + " " + signed(secret)["webhook-signature"]
    answer = await api.post(
        f"{ROOT}/callback?token={token}", content=BODY, headers=signed(secret) | {"webhook-signature": both}
    )
    assert answer.status_code == 202


async def test_without_a_secret_the_token_alone_counts_again(api: httpx.AsyncClient):
    run = await waiting(api)
    await secret_of(api, run["orchestratorId"])
    settings = f"{ROOT}/{run['orchestratorId']}/settings"
    assert (await api.get(settings)).json()["signsCallbacks"] is True
    assert (await api.delete(f"{ROOT}/{run['orchestratorId']}/signing-secret")).status_code == 204
    assert (await api.get(settings)).json()["signsCallbacks"] is False
    answer = await api.post(f"{ROOT}/callback/{run['id']}?token={token_of(run)}", content=BODY)
    assert answer.status_code == 202


async def test_the_secret_is_sealed_and_not_shown_again(api: httpx.AsyncClient, application: Application):
    orchestrator_id = await create(api, COPY)
    secret = await secret_of(api, orchestrator_id)
    await api.put(f"{ROOT}/{orchestrator_id}/settings", json={"concurrency": 1, "deadlineSeconds": None})
    seen = await application.orchestrator_settings.get(DEFAULT_WORKSPACE, orchestrator_id)
    assert seen.signs_callbacks
    for address in ("settings", "export", ""):
        answer = await api.get(f"{ROOT}/{orchestrator_id}/{address}".rstrip("/"))
        assert secret not in answer.text
    for file in application.settings.data_dir.glob("orchestrator.db*"):
        assert secret.removeprefix("whsec_").encode() not in file.read_bytes()
