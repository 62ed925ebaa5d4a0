"""Callbacks: what arrives from outside on a token, or is given by hand, is stored once and wakes its run."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from jsonschema import Draft202012Validator, SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from orchestrator_app.domain.definition import from_stored
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.ports import Dispatcher
from orchestrator_app.errors import Conflict, InvalidInput, NotFound
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.security.json_input import check_json
from orchestrator_app.security.signatures import UNSIGNED, Message, is_signed
from orchestrator_app.services.run_views import by_whom
from orchestrator_app.storage import callbacks as rows
from orchestrator_app.storage import runs as run_rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.payloads import loads
from orchestrator_app.storage.sql import Connection

TOKEN_KEY = "correlationToken"  # noqa: S105 - the name of a key, not a token
CHAT_KEY = "chatId"
MAX_REPORTED_ERRORS = 20


class Callbacks:
    """What lets runs go on that wait for a callback: the public callback address, and people."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        hub: Hub,
        *,
        token_hash: Callable[[str], str],
        unseal_secret: Callable[[str, str], str],
        now: Callable[[], int],
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._hub = hub
        self._token_hash = token_hash
        self._unseal_secret = unseal_secret
        self._now = now

    async def receive(
        self, run_id: str | None, token: str, body: JsonValue, message: Message = UNSIGNED
    ) -> Literal["accepted", "duplicate"]:
        """Store a callback and wake its run; the answer is given once it is on disk.

        Args:
            run_id: Run named in the address; None when the token alone must tell it.
            token: The token, from whichever place it came.
            body: Parsed JSON; the token in it, if any, is not kept.
            message: The same as it was sent, with its signature if it has one.

        Raises:
            NotFound: Unknown, used for something else, expired, or not signed where it must be: always the same.
            InvalidInput: The body does not meet the node's schema; the wait goes on.
        """
        if not token:
            raise _unknown()
        kept = (
            {
                key: value
                for key, value in body.items()
                if key != TOKEN_KEY and not (key == CHAT_KEY and value == token)
            }
            if isinstance(body, dict)
            else body
        )
        digest, now = self._token_hash(token), self._now()

        def work(connection: Connection) -> tuple[str | None, JsonValue, rows.SigningSecret | None]:
            named = rows.run_of(connection, digest) if run_id is None else run_id
            if not named:
                return None, None, None
            return named, _schema_of(connection, named, digest), rows.signing_secret(connection, named)

        named, schema, secret = await self._database.read(work)
        if named is None or (secret is not None and not self._is_signed(message, secret, now)):
            raise _unknown()
        _check_schema(schema, kept)
        # What is on disk must wake its run, also when the caller has left meanwhile.
        webhook_id = None if secret is None else message.id
        return await asyncio.shield(self._store(named, digest, kept, now, webhook_id=webhook_id))

    def _is_signed(self, message: Message, secret: rows.SigningSecret, now: int) -> bool:
        return is_signed(self._unseal_secret(secret.sealed, secret.orchestrator_id), message, now / 1000)

    async def resume(
        self, workspace_id: str, run_id: str, node_id: str, body: JsonValue, *, trigger: str
    ) -> None:
        """Let a node that waits for a callback go on as if one with this body had arrived.

        Args:
            workspace_id: Whose run.
            run_id: The run.
            node_id: The node.
            body: What the callback would have said.
            trigger: Who does it (``ui`` or ``api``); it stands in the run's log.

        Raises:
            NotFound: There is no such run.
            Conflict: The node does not wait for a callback, or one has arrived.
            InvalidInput: The body does not meet the node's schema; the wait goes on.
            BadRequest: It is no JSON.
        """
        check_json(body)

        def work(connection: Connection) -> tuple[str, JsonValue]:
            if run_rows.state_of(connection, workspace_id, run_id) is None:
                raise NotFound("There is no such run.", hint="Look it up in the run history.")
            digest = rows.awaited(connection, workspace_id, run_id, node_id)
            if digest is None:
                raise _not_awaited()
            return digest, _schema_of(connection, run_id, digest)

        digest, schema = await self._database.read(work)
        _check_schema(schema, body)
        says = f"The wait was ended {by_whom(trigger)}, with a body in place of the callback."
        try:
            outcome = await asyncio.shield(self._store(run_id, digest, body, self._now(), says=says))
        except NotFound as error:
            raise _not_awaited() from error
        if outcome == "duplicate":
            raise _not_awaited()

    async def _store(
        self,
        run_id: str,
        digest: str,
        body: JsonValue,
        now: int,
        *,
        webhook_id: str | None = None,
        says: str = "A callback arrived.",
    ) -> Literal["accepted", "duplicate"]:
        received = await self._database.write(
            lambda connection: rows.receive(
                connection, run_id, digest, body, now, says=says, webhook_id=webhook_id
            )
        )
        if received.outcome == "unknown":
            raise _unknown()
        if received.outcome == "accepted":
            self._hub.publish(
                Change("run", received.workspace_id, run_id, received.seq, received.orchestrator_id)
            )
            self._dispatcher.enqueue(run_id)
        return received.outcome


def _not_awaited() -> Conflict:
    return Conflict(
        "The node does not wait for a callback.", hint="Look at the run: it has gone on or ended."
    )


def _schema_of(connection: Connection, run_id: str, digest: str) -> JsonValue:
    """The schema of the node whose open wait the token belongs to, or None."""
    wait = rows.find_wait(connection, run_id, digest)
    if wait is None or not wait.is_open:
        return None
    node = from_stored(loads(run_rows.definition_of(connection, wait.version_id))).node(wait.node_id)
    return node.config.get("schema") if node else None


def _check_schema(schema: JsonValue, body: JsonValue) -> None:
    if not isinstance(schema, dict) or not schema:
        return
    try:
        Draft202012Validator.check_schema(schema)
        # An empty registry: references to other documents are never fetched.
        validator: Any = Draft202012Validator(schema, registry=Registry())
        found: list[ValidationError] = list(validator.iter_errors(body))
    except (SchemaError, Unresolvable, RecursionError) as error:
        raise InvalidInput(
            "The schema of the node that waits is wrong itself.",
            hint="Correct “Body schema” in the editor and start a new run.",
            errors=[{"field": "schema", "message": str(error).splitlines()[0][:300]}],
        ) from error
    if found:
        errors = [
            {"field": "/".join(str(part) for part in error.absolute_path), "message": error.message[:300]}
            for error in found[:MAX_REPORTED_ERRORS]
        ]
        raise InvalidInput(
            "The body does not meet the schema of the node that waits.",
            hint="Correct the body and call again; the token is still good.",
            errors=errors,
        )


def _unknown() -> NotFound:
    return NotFound("There is no such callback.", hint="The token may be wrong, used up or expired.")
