"""Simulated executions under way: found again to be cancelled, and the callbacks that some of them make."""

import asyncio
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import ProviderError
from orchestrator_app.providers.answers import raise_for_answer
from orchestrator_app.providers.client import HttpClient

CANCELLED = "The simulated execution was cancelled."
CALLBACK_PAUSES = (1.0, 3.0)

_CALLBACK_SECONDS = 10.0
_CALLBACK_PATH = re.compile(r"(/[\w.-]+)*/api/v1/orchestrator/callback/[\w-]+")
_MOST = 1_000
_MOST_ANSWERED = 100

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Execution:
    """One execution.

    Attributes:
        id: Its id, as shown.
        correlation_id: Of the call that started it.
        ends_at: When it ends if nobody stops it, in UTC epoch milliseconds.
        output: What comes out then.
        failure: Why it fails then, or empty.
        stopped: Set when it is cancelled.
        callback: Makes the callback that is to come, if any.
    """

    id: str
    correlation_id: str
    ends_at: int
    output: JsonValue = None
    failure: str = ""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    callback: "asyncio.Task[None] | None" = None


class Executions:
    """What this process has started. After a restart only the ids of what is cancelled then are known."""

    def __init__(self, now: Callable[[], int]) -> None:
        """``now`` gives UTC epoch milliseconds."""
        self._now = now
        self._started: dict[str, Execution] = {}
        self._answered: dict[str, None] = {}
        self._cancelled: dict[str, None] = {}

    @property
    def callbacks(self) -> list["asyncio.Task[None]"]:
        """The callbacks still to be made."""
        tasks = [execution.callback for execution in self._started.values()]
        return [task for task in tasks if task is not None and not task.done()]

    def begin(
        self,
        workflow_id: str,
        correlation_id: str,
        ends_at: int,
        *,
        output: JsonValue = None,
        failure: str = "",
    ) -> Execution:
        """A new execution."""
        if len(self._started) >= _MOST:
            self._forget_ended()
        execution = Execution(
            f"{workflow_id}-{secrets.token_hex(4)}", correlation_id, ends_at, output=output, failure=failure
        )
        self._started[execution.id] = execution
        return execution

    def answer(self, execution: Execution) -> None:
        """It has answered. It is remembered for a while, in case the answer did not reach its caller."""
        if len(self._answered) >= _MOST_ANSWERED:
            oldest = next(iter(self._answered))
            del self._answered[oldest]
            self._started.pop(oldest, None)
        self._answered[execution.id] = None

    def find(self, correlation_id: str) -> Execution | None:
        """The newest execution of a call, as far as it is remembered."""
        found = [one for one in self._started.values() if one.correlation_id == correlation_id]
        return found[-1] if found else None

    def is_cancelled(self, execution_id: str) -> bool:
        """Whether it was cancelled."""
        return execution_id in self._cancelled

    def cancel(self, execution_id: str, ends_at: int, correlation_id: str) -> str:
        """Stop the execution with this id, or those of this call if none is known; a sentence says what happened."""
        if execution_id:
            known = self._started.get(execution_id)
            found = [known or Execution(execution_id, correlation_id, ends_at)]
        else:
            found = [one for one in self._started.values() if one.correlation_id == correlation_id]
        under_way = [one for one in found if one.ends_at > self._now() and not self.is_cancelled(one.id)]
        for execution in under_way:
            self._stop(execution)
        if under_way:
            return f"Simulated execution {', '.join(one.id for one in under_way)} was stopped."
        if found:
            return f"Simulated execution {found[0].id} had ended already."
        return "No simulated execution of this call was under way any more."

    async def close(self) -> None:
        """Give up the callbacks still to be made."""
        tasks = self.callbacks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stop(self, execution: Execution) -> None:
        if len(self._cancelled) >= _MOST:
            self._cancelled.pop(next(iter(self._cancelled)))
        self._cancelled[execution.id] = None
        execution.stopped.set()
        if execution.callback is not None:
            execution.callback.cancel()
        self._started.pop(execution.id, None)

    def _forget_ended(self) -> None:
        now = self._now()
        for execution in list(self._started.values()):
            is_calling = execution.callback is not None and not execution.callback.done()
            if execution.ends_at <= now and not is_calling:
                del self._started[execution.id]


class CallbackSender:
    """Posts results to callback addresses, a few times if the other side is down for the moment."""

    def __init__(self, client: HttpClient, own_client: HttpClient, provider: str) -> None:
        """Make a sender.

        Args:
            client: The guarded client.
            own_client: A client that may reach this program itself; used for its callback address alone.
            provider: Key of the provider, for errors.
        """
        self._client = client
        self._own_client = own_client
        self._provider = provider

    async def send(self, address: str, body: bytes, seconds: float) -> None:
        """Post the body after so many seconds."""
        # The guard keeps calls away from this program; its callback address alone is open to a workflow of its own.
        path = urlsplit(address).path
        is_ours = _CALLBACK_PATH.fullmatch(path) and "/." not in path
        client = self._own_client if is_ours else self._client
        for pause in (seconds, *CALLBACK_PAUSES):
            await asyncio.sleep(pause)
            try:
                answer = await client.request(
                    "POST",
                    address,
                    headers={"Content-Type": "application/json"},
                    content=body,
                    timeout_seconds=_CALLBACK_SECONDS,
                    provider=self._provider,
                    operation="callback",
                    is_safe_to_repeat=True,
                )
                raise_for_answer(answer, self._provider, "callback")
            except ProviderError as error:
                _log.warning("The simulated workflow could not call back: %s", error.message)
                if not error.retryable:
                    return
            else:
                return
