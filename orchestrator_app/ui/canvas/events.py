"""What the canvas sends and takes, as types: operations of the user, and the shapes of its properties."""

from typing import Any, Literal, NotRequired, TypedDict


class AddOp(TypedDict):
    """A new node. ``copyOf`` names the node whose config it takes over (copied, cut or duplicated)."""

    op: Literal["add"]
    id: str
    kind: str
    label: str
    x: int
    y: int
    copyOf: NotRequired[str]


class MoveOp(TypedDict):
    """A node stands somewhere else."""

    op: Literal["move"]
    id: str
    x: int
    y: int


class RemoveOp(TypedDict):
    """A node is gone. Its edges were disconnected by operations before this one in the same list."""

    op: Literal["remove"]
    id: str


class ConnectOp(TypedDict):
    """A new edge. ``targetHandle`` is always empty: a node has one input."""

    op: Literal["connect"]
    id: str
    source: str
    target: str
    sourceHandle: str
    targetHandle: str


class DisconnectOp(TypedDict):
    """An edge is gone."""

    op: Literal["disconnect"]
    id: str


class DisableOp(TypedDict):
    """A node is switched off or on."""

    op: Literal["disable"]
    id: str
    disabled: bool


CanvasOp = AddOp | MoveOp | RemoveOp | ConnectOp | DisconnectOp | DisableOp


class HandleShape(TypedDict):
    """An output of a node. Several that are not for errors are drawn as named rows."""

    id: str
    label: str
    isError: bool


class NodeShape(TypedDict):
    """A node of the graph. ``summary`` is one line of its config, for instance ``POST https://…``."""

    id: str
    kind: str
    label: str
    summary: str
    x: float
    y: float
    disabled: bool
    handles: list[HandleShape]


class EdgeShape(TypedDict):
    """An edge of the graph."""

    id: str
    source: str
    target: str
    sourceHandle: str
    targetHandle: str


class GraphShape(TypedDict):
    """The whole graph. The canvas takes it only when ``rev`` differs from the one it shows.

    ``fit`` brings the whole graph into view; the first graph always is.
    """

    rev: int | str
    fit: bool
    nodes: list[NodeShape]
    edges: list[EdgeShape]


class NodePatch(TypedDict, total=False):
    """What changed of a node by its settings, without sending the graph again."""

    label: str
    summary: str
    disabled: bool
    handles: list[HandleShape]


class NodeStatus(TypedDict):
    """How a node is doing in the run that is shown.

    While it runs or waits, the time shown counts on from ``durationMs`` if that is above 0, otherwise from
    ``startedAt`` (epoch milliseconds). ``note`` is shown on hover.
    """

    state: str
    durationMs: NotRequired[int | None]
    startedAt: NotRequired[int | None]
    attempt: NotRequired[int]
    note: NotRequired[str]


class NodeProblem(TypedDict):
    """One thing wrong with a node. ``blocks`` is ``save``, ``run`` or ``nothing`` (a warning)."""

    message: str
    blocks: str


class WorkflowMark(TypedDict):
    """What became of the workflow that a node calls: ``deleted``, ``inactive`` or ``changed``, and that in a sentence."""

    state: str
    message: str


class KindShape(TypedDict):
    """A kind of node as the palette shows it, with the outputs that a new node of it has."""

    name: str
    title: str
    summary: str
    icon: str
    color: str
    handles: list[HandleShape]


EdgeState = Literal["taken", "not_taken", "open"]
Ops = list[dict[str, Any]]
