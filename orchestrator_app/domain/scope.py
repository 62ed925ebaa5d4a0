"""What an expression can see: the node's data, the run, the outputs of earlier nodes and the variables."""

from dataclasses import dataclass, field
from typing import Any

from orchestrator_app.domain.json_values import JsonObject, JsonValue

ROOTS = ("data", "input", "run", "nodes", "vars")


@dataclass(frozen=True, slots=True)
class Scope:
    """The world of one node at the moment it starts.

    Attributes:
        data: The node's input.
        run: Facts about the run: ``id``, ``input``, ``callbackUrl``, ``correlationToken`` and so on.
        nodes: By label and by id, an object with ``output`` and, where there are any, ``callbackUrl`` and
            ``correlationToken``.
        vars: Variables of the orchestrator.
    """

    data: JsonValue = None
    run: JsonObject = field(default_factory=dict[str, Any])
    nodes: dict[str, JsonObject] = field(default_factory=dict[str, Any])
    vars: JsonObject = field(default_factory=dict[str, Any])

    def document(self) -> JsonObject:
        """The object that expressions are evaluated over; its values are shared, not copied.

        The keys of an object payload stand beside the roots, so that ``customer.email`` finds what
        ``data.customer.email`` finds. A root wins over a payload key of its name.
        """
        payload = self.data if isinstance(self.data, dict) else {}
        return {
            **payload,
            "data": self.data,
            "input": self.data,
            "run": self.run,
            "nodes": dict(self.nodes),
            "vars": self.vars,
        }
