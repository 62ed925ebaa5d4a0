"""What the suite needs of every provider's other side."""

from dataclasses import dataclass, field
from typing import Any

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.connection import Connection
from tests.fakes.connections import remote_call
from tests.fakes.server import FakeServer

SECRET = "s3cret-of-the-connection"


@dataclass
class World:
    """One provider with something on the other side.

    Attributes:
        connection: A good one, of the kind that can do most.
        bad: The same with the secret SECRET, which the other side refuses.
        starts: Settings of a call whose answer is the result.
        is_polled: Settings of a call whose end is polled and comes soon.
        calls_back: Settings of a call whose workflow calls back soon.
        lasts: Settings of a call that goes on until it is cancelled.
        is_refused: Settings of a call that the other side refuses with the bad connection.
        workflow: Id of a workflow that can be looked at.
        end: What the look at the end shows, where only the node's own condition can tell that it is the end.
        workflow_with_form: Id of one that says what it asks for.
    """

    fake: FakeServer
    provider: Provider
    connection: Connection
    bad: Connection
    starts: dict[str, Any]
    is_polled: dict[str, Any] = field(default_factory=dict)
    calls_back: dict[str, Any] = field(default_factory=dict)
    lasts: dict[str, Any] = field(default_factory=dict)
    is_refused: dict[str, Any] = field(default_factory=dict)
    workflow: str = ""
    workflow_with_form: str = ""
    end: JsonValue = None

    def call(self, settings: dict[str, Any], **more: Any) -> RemoteCall:
        return remote_call(self.provider.key, **settings | more)
