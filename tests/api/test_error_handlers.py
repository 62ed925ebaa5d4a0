import httpx
import pytest
from starlette.exceptions import HTTPException

from orchestrator_app import errors
from orchestrator_app.api.app import build_api
from orchestrator_app.config import Settings
from tests.api.calls import BASE_URL, assert_problem


async def answered(error: Exception, settings: Settings) -> httpx.Response:
    """What a route answers that raises this error."""

    async def raises() -> None:
        raise error

    app = build_api(lambda: pytest.fail("not needed"), settings)
    app.add_api_route("/raises", raises)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as client:
        return await client.get("/raises")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NotSignedIn("Sign in first."), 401, "not_signed_in"),
        (errors.Conflict("It is taken."), 409, "conflict"),
        (errors.ExpressionError("There is no a.b."), 422, "expression_error"),
        (errors.CredentialUnreadable("No key opens it."), 409, "credential_unreadable"),
        (errors.ProviderRefused("n8n says no."), 502, "provider_refused"),
        (errors.AddressNotAllowed("That is inside."), 422, "address_not_allowed"),
        (HTTPException(404), 404, "not_found"),
        (HTTPException(405, headers={"Allow": "POST"}), 405, "method_not_allowed"),
        (HTTPException(418, detail="Teapot"), 400, "bad_request"),
    ],
)
async def test_every_error_becomes_a_problem(settings: Settings, error: Exception, status: int, code: str):
    assert_problem(await answered(error, settings), status, code)


async def test_a_problem_has_the_sentence_and_the_hint_but_not_the_context(settings: Settings):
    error = errors.NotFound("There is no such run.", hint="Look it up.", context={"id": "for the log"})
    answer = await answered(error, settings)
    assert answer.json() == {
        "type": "/api/docs/errors#not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such run.",
        "hint": "Look it up.",
        "code": "not_found",
        "retryable": False,
        "errors": [],
    }


async def test_trouble_of_a_platform_names_the_platform(settings: Settings):
    busy = errors.ProviderBusy("n8n is busy.", provider="n8n", remote_status=429, retry_after_seconds=2.1)
    answer = await answered(busy, settings)
    problem = assert_problem(answer, 502, "provider_busy")
    assert (problem["provider"], problem["remoteStatus"], problem["retryable"]) == ("n8n", 429, True)
    assert answer.headers["retry-after"] == "3"
    unsaid = await answered(errors.ProviderBusy("n8n is busy."), settings)
    assert "retry-after" not in unsaid.headers


async def test_who_comes_too_early_is_told_when_to_come_back(settings: Settings):
    answer = await answered(errors.Unavailable("Still starting."), settings)
    assert answer.headers["retry-after"] == "5"


async def test_the_allowed_methods_are_passed_on(settings: Settings):
    answer = await answered(HTTPException(405, headers={"Allow": "POST"}), settings)
    assert answer.headers["allow"] == "POST"
    assert answer.json()["hint"] == "Use POST."
