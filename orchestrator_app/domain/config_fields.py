"""One config key of a node kind: its type, bounds and words. The drawer is drawn from it, values are checked by it."""

from dataclasses import dataclass
from typing import Literal

from orchestrator_app.domain.json_values import JsonValue

FieldType = Literal[
    "text",
    "template",
    "body",
    "expression",
    "milliseconds",
    "integer",
    "boolean",
    "choice",
    "headers",
    "inputs",
    "mappings",
    "cases",
    "json",
    "connection",
]


@dataclass(frozen=True, slots=True)
class ConfigField:
    """One config key of a node kind.

    Attributes:
        key: Name in the definition.
        type: How it is checked and edited. ``template`` is text with ``{{ }}``, ``body`` a template of a request
            body, ``expression`` bare JSONata, ``headers`` and ``inputs`` an object of templates,
            ``json`` any JSON object.
        label: Name in the drawer.
        default: Value when the key is absent; None when there is none.
        help: One or two sentences for the drawer.
        choices: Allowed values of a ``choice``.
        least: Smallest allowed number.
        most: Largest allowed number.
        required: Whether a run needs a value.
        section: Heading in the drawer under which the field stands.
    """

    key: str
    type: FieldType
    label: str
    default: JsonValue = None
    help: str = ""
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 0
    required: bool = False
    section: str = "Main"
