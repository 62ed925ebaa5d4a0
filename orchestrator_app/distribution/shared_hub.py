"""Live events of several processes: what one publishes, the readers of all of them are told."""

from typing import Any

from orchestrator_app.distribution.exchange import Exchange
from orchestrator_app.runner.hub import Change, Hub

TOPIC = "change"


class SharedHub(Hub):
    """A hub that passes changes on to the hubs of the other processes."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        exchange.on(TOPIC, self._heard)

    def publish(self, change: Change) -> None:
        """Tell every reader, here and elsewhere; must be called on the event loop's thread."""
        super().publish(change)
        item = [
            change.kind,
            change.workspace_id,
            change.id,
            change.seq,
            change.orchestrator_id,
            change.is_end,
        ]
        self._exchange.tell(TOPIC, f"{change.kind} {change.id}", item)

    def _heard(self, item: list[Any]) -> None:
        super().publish(Change(*item))
