"""Testing a connection to n8n: tells a wrong address, a bad key, a missing permission and a closed API apart."""

from http import HTTPStatus

from orchestrator_app.errors import CredentialRefused, ProviderBusy, ProviderError, UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.connection import ConnectionCheck
from orchestrator_app.providers.json_reading import list_at, text_at
from orchestrator_app.providers.n8n_api import PERMISSIONS, N8nApi

_OPERATION = Capability.TEST.value
_ONE = {"limit": "1"}


async def check_connection(api: N8nApi) -> ConnectionCheck:
    """Ask for one workflow, then for one execution, and say what that showed."""
    if not api.has_key:
        return ConnectionCheck("untested", "Enter the address of n8n and an API key.")
    try:
        answer = await api.get("/workflows", _OPERATION, _ONE)
        if answer.status == HTTPStatus.NOT_FOUND or (answer.status == HTTPStatus.OK and not _is_list(answer)):
            return await _without_api(api)
        api.raise_for(answer, _OPERATION)
        executions = await api.get("/executions", _OPERATION, _ONE)
    except CredentialRefused as error:
        return ConnectionCheck("refused", f"{error.message} {error.hint}")
    except ProviderError as error:
        status = "untested" if isinstance(error, ProviderBusy) else "unreachable"
        return ConnectionCheck(status, f"{error.message} {error.hint}".strip())
    permissions = await _permissions(api)
    facts = (("Permissions", ", ".join(permissions)),) if permissions else ()
    if executions.status == HTTPStatus.FORBIDDEN:
        return ConnectionCheck(
            "connected",
            f"n8n at {api.host} answers and lists workflows. The key may not read executions, so polling and reasons "
            "of failures need the permissions execution:list and execution:read.",
            facts=facts,
        )
    missing = [name for name in PERMISSIONS if permissions and name not in permissions]
    lacks = f" For everything else it still needs {', '.join(missing)}." if missing else ""
    return ConnectionCheck(
        "connected", f"n8n at {api.host} answers and accepts the API key.{lacks}", facts=facts
    )


async def _permissions(api: N8nApi) -> list[str]:
    """What the key may do of what is used here; empty where the release does not tell."""
    try:
        answer = await api.get("/discover", _OPERATION)
        body = answer.json() if answer.status == HTTPStatus.OK else None
    except ProviderError:
        return []
    scopes = list_at(body, "data", "scopes")
    return [name for name in PERMISSIONS if name in scopes]


async def _without_api(api: N8nApi) -> ConnectionCheck:
    """The API is not there: either n8n keeps it closed, or this is not n8n."""
    health = await api.health(_OPERATION)
    if health.status == HTTPStatus.OK and _says_ok(health):
        return ConnectionCheck(
            "refused",
            f"n8n runs at {api.host}, but its public API is switched off. Remove N8N_PUBLIC_API_DISABLED from its "
            "settings and start it again.",
        )
    return ConnectionCheck(
        "unreachable",
        f"Something answers at {api.host}, but it is not n8n. Enter the address as you open n8n in the browser.",
    )


def _is_list(answer: HttpAnswer) -> bool:
    try:
        body = answer.json()
    except UnreadableAnswer:
        return False
    return isinstance(body, dict) and isinstance(body.get("data"), list)


def _says_ok(answer: HttpAnswer) -> bool:
    try:
        return text_at(answer.json(), "status") == "ok"
    except UnreadableAnswer:
        return False
