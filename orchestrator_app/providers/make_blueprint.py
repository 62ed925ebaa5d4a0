"""Reading a scenario's blueprint: sequences of modules with routes, branches and error handlers, as one graph."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.providers.json_reading import list_at, number_at, object_at, objects_at, text_at
from orchestrator_app.providers.remote_workflow import EdgeKind, PreviewEdge, PreviewNode, content_hash

CUSTOM_WEBHOOK = "gateway:CustomWebHook"
WEBHOOK_RESPONSE = "gateway:WebhookRespond"
RETURN_OUTPUT = "scenario-service:ReturnData"
AGGREGATOR = "builtin:BasicAggregator"

_HTTP_APPS = ("http:", "http-")
_CALLBACK_NAME = "callbackUrl"
_BUILT_IN = {
    "builtin:BasicRouter": "Router",
    "builtin:BasicIfElse": "If-else",
    "builtin:BasicMerge": "Merge",
    "builtin:BasicFeeder": "Iterator",
    AGGREGATOR: "Array aggregator",
    CUSTOM_WEBHOOK: "Custom webhook",
    WEBHOOK_RESPONSE: "Webhook response",
    RETURN_OUTPUT: "Return output",
}
_APPS = {"builtin": "Flow control", "gateway": "Webhooks", "http": "HTTP", "scenario-service": "Scenarios"}
# What a module does is all but its place on the canvas and what stands inside of it.
_NOT_SETTINGS = frozenset({"id", "metadata", "routes", "branches", "onerror", "disabled"})
_OPERATORS = {
    "equal": "=",
    "notequal": "≠",
    "greater": ">",
    "greaterorequal": "≥",
    "less": "<",
    "lessorequal": "≤",
    "exist": "exists",
    "notexist": "does not exist",
    "contain": "contains",
    "notcontain": "does not contain",
    "startwith": "starts with",
    "endwith": "ends with",
    "pattern": "matches",
}
_WITHOUT_RIGHT = frozenset({"exist", "notexist"})
_LONGEST_LABEL = 80
_UNCONNECTED = "It is not connected to the rest, so it never runs."


@dataclass(frozen=True, slots=True)
class Graph:
    """A blueprint as steps and ways, and what matters for starting it.

    Attributes:
        nodes: The modules.
        edges: The ways between them.
        modules: The modules as Make gives them, connected ones only.
    """

    nodes: tuple[PreviewNode, ...]
    edges: tuple[PreviewEdge, ...]
    modules: tuple[JsonObject, ...]

    @property
    def digest(self) -> str:
        """What the scenario consists of, wherever its modules stand on the canvas."""
        steps: list[JsonValue] = [
            [node.id, node.label, node.kind, node.digest, node.is_disabled] for node in self.nodes
        ]
        ways: list[JsonValue] = [[edge.source, edge.target, edge.label, edge.kind] for edge in self.edges]
        return content_hash([steps, ways])

    @property
    def trigger(self) -> JsonObject:
        """The module that starts it; an empty one when there is none."""
        return self.modules[0] if self.modules else {}

    def has(self, kind: str) -> bool:
        """Whether an enabled module of this kind is among the connected ones."""
        return any(
            text_at(module, "module") == kind and module.get("disabled") is not True
            for module in self.modules
        )

    @property
    def calls_back(self) -> bool:
        """Whether an HTTP module seems to send something to the address that we hand over."""
        return any(
            text_at(module, "module").startswith(_HTTP_APPS) and _CALLBACK_NAME in str(module.get("mapper"))
            for module in self.modules
        )


@dataclass(frozen=True, slots=True)
class _End:
    """An open end of the graph, to which the next module is joined."""

    node: str
    label: str = ""
    kind: EdgeKind = "main"


@dataclass(slots=True)
class _Reader:
    """Walks through a blueprint and collects what it meets."""

    nodes: list[PreviewNode] = field(default_factory=list[PreviewNode])
    edges: list[PreviewEdge] = field(default_factory=list[PreviewEdge])
    modules: list[JsonObject] = field(default_factory=list[JsonObject])
    ids: set[str] = field(default_factory=set[str])

    def read(
        self, flow: Sequence[JsonObject], ends: Sequence[_End], *, is_connected: bool = True
    ) -> list[_End]:
        """Add a sequence of modules behind these ends; returns the ends that it leaves open."""
        open_ends = list(ends)
        for module in flow:
            node = self._add(module, is_connected=is_connected)
            condition = condition_in_words(module.get("filter"))
            for end in open_ends:
                label = _cut(": ".join(part for part in (end.label, condition) if part))
                self.edges.append(PreviewEdge(end.node, node, label, end.kind))
            self.read(objects_at(module, "onerror"), [_End(node, kind="error")], is_connected=is_connected)
            for route in objects_at(module, "routes"):
                self.read(objects_at(route, "flow"), [_End(node)], is_connected=is_connected)
            branches = objects_at(module, "branches")
            open_ends = self._branches(node, branches, is_connected=is_connected) or [_End(node)]
        return open_ends

    def _branches(self, node: str, branches: Sequence[JsonObject], *, is_connected: bool) -> list[_End]:
        """Read what lies behind an if-else; those branches that merge again stay open."""
        merging: list[_End] = []
        for branch in branches:
            ends = self.read(
                objects_at(branch, "flow"), [_End(node, _branch_label(branch))], is_connected=is_connected
            )
            if branch.get("merge") is True:
                merging += ends
        return merging

    def _add(self, module: JsonObject, *, is_connected: bool) -> str:
        kind = text_at(module, "module")
        node = text_at(module, "id") or f"module-{len(self.nodes) + 1}"
        while node in self.ids:
            node += "-again"
        self.ids.add(node)
        designer = object_at(module, "metadata", "designer")
        self.nodes.append(
            PreviewNode(
                id=node,
                label=text_at(designer, "name") or _BUILT_IN.get(kind) or kind.partition(":")[2] or kind,
                kind=kind,
                x=number_at(designer, "x"),
                y=number_at(designer, "y"),
                is_disabled=module.get("disabled") is True or not is_connected,
                is_trigger=is_connected and not self.modules,
                notes=_notes(module, is_connected=is_connected),
                app=_app(kind),
                digest=content_hash(
                    {name: value for name, value in module.items() if name not in _NOT_SETTINGS}
                ),
            )
        )
        if is_connected:
            self.modules.append(module)
        return node


def read_blueprint(blueprint: JsonObject) -> Graph:
    """The graph of a blueprint; whatever it holds besides is passed over."""
    reader = _Reader()
    reader.read(objects_at(blueprint, "flow"), [])
    for orphan in list_at(blueprint, "metadata", "designer", "orphans"):
        modules = objects_at({"at": orphan if isinstance(orphan, list) else [orphan]}, "at")
        reader.read(modules, [], is_connected=False)
    return Graph(tuple(reader.nodes), tuple(reader.edges), tuple(reader.modules))


def condition_in_words(condition: JsonValue) -> str:
    """A filter in words: its own name, else what it compares. Alternatives of conditions that hold together."""
    if name := text_at(condition, "name").strip():
        return _cut(name)
    alternatives = [
        " and ".join(_comparison(part) for part in objects_at({"at": together}, "at"))
        for together in list_at(condition, "conditions")
    ]
    return _cut(" or ".join(words for words in alternatives if words))


def _comparison(part: JsonObject) -> str:
    _, _, operator = text_at(part, "o").partition(":")  # as in text:equal or text:equal:ci
    operator = operator.partition(":")[0] or text_at(part, "o")
    words = [text_at(part, "a") or "…", _OPERATORS.get(operator, operator)]
    if operator not in _WITHOUT_RIGHT:
        words.append(text_at(part, "b"))
    return " ".join(word for word in words if word)


def _branch_label(branch: JsonObject) -> str:
    words = text_at(branch, "label").strip() or condition_in_words(branch)
    words = words or ("else" if text_at(branch, "type") == "else" else "")
    return f"{words} (switched off)" if branch.get("disabled") is True else words


def _notes(module: JsonObject, *, is_connected: bool) -> str:
    sentences: list[str] = []
    if not is_connected:
        sentences.append(_UNCONNECTED)
    feeder = text_at(module, "parameters", "feeder")
    if text_at(module, "module") == AGGREGATOR and feeder:
        sentences.append(f"It collects what module {feeder} hands out one by one.")
    return " ".join(sentences)


def _app(kind: str) -> str:
    app = kind.partition(":")[0]
    return _APPS.get(app) or " ".join(word.capitalize() for word in app.replace("_", "-").split("-") if word)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 1]}…"
