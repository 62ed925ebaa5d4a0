import httpx
import pytest

from orchestrator_app.api.app import build_api
from orchestrator_app.config import Settings
from orchestrator_app.errors import Unavailable
from orchestrator_app.services.application import Application
from tests.api.calls import BASE_URL, assert_problem


async def test_a_process_that_takes_work_is_ready(api: httpx.AsyncClient):
    assert (await api.get("/health/live")).json() == {"status": "live"}
    answer = await api.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "activeRuns": 0}


async def test_a_process_that_starts_lives_but_is_not_ready(settings: Settings):
    def starting() -> Application:
        raise Unavailable("Orchestrator is still starting.")

    transport = httpx.ASGITransport(build_api(starting, settings))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        assert (await client.get("/health/live")).status_code == 200
        for address in ("/health/ready", "/api/v1/orchestrator"):
            answer = await client.get(address)
            assert_problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0


async def test_a_process_whose_database_does_not_answer_is_not_ready(
    api: httpx.AsyncClient, application: Application, monkeypatch: pytest.MonkeyPatch
):
    async def unanswered(_work: object) -> bool:
        raise Unavailable("The database cannot be read.")

    monkeypatch.setattr(application.health._database, "read", unanswered)
    problem = assert_problem(await api.get("/health/ready"), 503, "unavailable")
    assert problem["detail"] == "The database cannot be read."
    assert (await api.get("/health/live")).status_code == 200


async def test_health_is_answered_while_the_feature_is_off(application: Application, settings: Settings):
    off = settings.model_copy(update={"enabled": False})
    transport = httpx.ASGITransport(build_api(lambda: application, off))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 200
        for address in ("/api/v1/orchestrator", "/api/docs", "/api/openapi.json", "/api/nothing"):
            assert_problem(await client.get(address), 404, "feature_disabled")
        assert_problem(await client.post("/api/v1/orchestrator/callback/x"), 404, "feature_disabled")
