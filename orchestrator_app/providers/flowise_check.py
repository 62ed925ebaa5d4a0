"""Testing a connection to Flowise: tells a wrong address, a bad key and a missing permission apart."""

from http import HTTPStatus

from orchestrator_app.errors import CredentialRefused, ProviderBusy, ProviderError
from orchestrator_app.providers.answers import raise_for_answer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.connection import ConnectionCheck
from orchestrator_app.providers.flowise_api import FlowiseApi, has_executions

_OPERATION = Capability.TEST.value
_ONE = {"page": "1", "limit": "1"}


async def check_connection(api: FlowiseApi) -> ConnectionCheck:
    """Reach the server, ask for one flow and one execution with the key, and say what that showed."""
    if not api.base:
        return ConnectionCheck("untested", "Enter the address of Flowise.")
    try:
        ping = await api.ping(_OPERATION)
        if ping.status >= HTTPStatus.INTERNAL_SERVER_ERROR or ping.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise_for_answer(ping, "flowise", _OPERATION)
        if ping.status != HTTPStatus.OK or ping.text().strip() != "pong":
            return ConnectionCheck(
                "unreachable",
                f"Something answers at {api.host}, but it is not Flowise. Enter the address as you open Flowise.",
            )
        version = await api.version(_OPERATION)
        if not api.has_key:
            return ConnectionCheck(
                "connected",
                f"Flowise answers at {api.host}. Without an API key only open flows can be asked, and nothing can be "
                "listed or polled.",
                facts=_facts(version),
            )
        return await _with_key(api, version)
    except CredentialRefused as error:
        return ConnectionCheck("refused", f"{error.message} {error.hint}")
    except ProviderError as error:
        status = "untested" if isinstance(error, ProviderBusy) else "unreachable"
        return ConnectionCheck(status, f"{error.message} {error.hint}".strip())


async def _with_key(api: FlowiseApi, version: str) -> ConnectionCheck:
    listed = await api.get("/chatflows", _OPERATION, _ONE)
    may_list = listed.status != HTTPStatus.FORBIDDEN
    if may_list:
        api.raise_for(listed, _OPERATION)
        listed.json()
    executions = "no: this release keeps none"
    may_look = False
    if has_executions(version):
        looked = await api.get("/executions", _OPERATION, _ONE)
        may_look = looked.status == HTTPStatus.OK
        executions = "yes" if may_look else "no"
    missing: list[str] = []
    if not may_list:
        missing.append(
            "The key may not list flows, only ask them: it lacks chatflows:view and agentflows:view."
        )
    if not may_look and has_executions(version):
        missing.append("The key may not read executions, so nothing can be polled: it lacks executions:view.")
    return ConnectionCheck(
        "connected",
        " ".join([f"Flowise at {api.host} answers and accepts the API key.", *missing]),
        facts=(
            *_facts(version),
            ("May list flows", "yes" if may_list else "no"),
            ("May read executions", executions),
        ),
    )


def _facts(version: str) -> tuple[tuple[str, str], ...]:
    return (("Version", version),) if version else ()
