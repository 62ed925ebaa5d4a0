"""Builders of definitions: by hand for examples, by Hypothesis for properties. What they build can be run."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from orchestrator_app.domain.definition import Definition, Edge, Node
from orchestrator_app.domain.node_kinds import NODE_KINDS, output_handles

# A property fails for what it finds, never because the machine is busy.
unhurried = settings(deadline=None, suppress_health_check=(HealthCheck.too_slow,))

# The least that each kind needs so that validation finds nothing at all to say.
RUNNABLE_CONFIGS: dict[str, dict[str, Any]] = {
    "RemoteWebhook": {"url": "https://hooks.example.org/start"},
    "LocalFlow": {"flowId": "flow-1", "baseURL": "http://127.0.0.1:3000"},
    "DataMapper": {"mappings": [{"from": "data", "to": "value"}]},
    "Condition": {"cases": [{"expression": "data.total > 100", "handle": "large"}]},
    "WaitForCallback": {},
    "ErrorBoundary": {},
    "Parallel": {},
}


def a_node(
    node_id: str = "a",
    kind: str = "Parallel",
    config: dict[str, Any] | None = None,
    *,
    label: str | None = None,
    disabled: bool = False,
    notes: str = "",
    x: float = 0.0,
    y: float = 0.0,
) -> Node:
    """A node that can be run; its label is its id. A given config replaces that of ``RUNNABLE_CONFIGS``."""
    chosen = RUNNABLE_CONFIGS[kind] if config is None else config
    return Node(node_id, kind, node_id if label is None else label, dict(chosen), x, y, disabled, notes)


def an_edge(source: str = "a", target: str = "b", handle: str = "", *, edge_id: str | None = None) -> Edge:
    """An edge; its id tells from where to where it leads."""
    named = f"{source}:{handle}-{target}" if handle else f"{source}-{target}"
    return Edge(named if edge_id is None else edge_id, source, target, handle)


def a_definition(nodes: Iterable[Node] = (), edges: Iterable[Edge] = ()) -> Definition:
    """A definition of these nodes and edges; of one plain node when nothing is given."""
    return Definition(tuple(nodes) or (a_node(),), tuple(edges))


def a_chain(*ids: str, kind: str = "Parallel") -> Definition:
    """Nodes one after the other: a → b → c unless other ids are given."""
    names = ids or ("a", "b", "c")
    edges = [an_edge(source, target) for source, target in pairwise(names)]
    return a_definition([a_node(name, kind) for name in names], edges)


def a_diamond(kind: str = "Parallel") -> Definition:
    """a → b, c → d."""
    edges = [an_edge("a", "b"), an_edge("a", "c"), an_edge("b", "d"), an_edge("c", "d")]
    return a_definition([a_node(name, kind) for name in "abcd"], edges)


def a_definition_from(pairs: Iterable[tuple[int, int]], count: int) -> Definition:
    """Plain nodes n0, n1, … joined by edges from number to number."""
    nodes = [a_node(f"n{number}") for number in range(count)]
    edges = [an_edge(f"n{source}", f"n{target}", edge_id=f"e{i}") for i, (source, target) in enumerate(pairs)]
    return a_definition(nodes, edges)


_BRANCHES = ("yes", "no", "maybe", "out")


@st.composite
def nodes(draw: st.DrawFn, node_id: str) -> Node:
    """A node of any kind that can be run, disabled or not; some have the label of another."""
    kind = draw(st.sampled_from(sorted(NODE_KINDS)))
    config: dict[str, Any] | None = None
    if kind == "Condition":
        branches = draw(st.lists(st.sampled_from(_BRANCHES), unique=True, max_size=3))
        config = {"cases": [{"expression": f"data.{branch}", "handle": branch} for branch in branches]}
        if draw(st.booleans()):
            config["defaultHandle"] = draw(st.sampled_from((*_BRANCHES, "otherwise")))
    label = draw(st.sampled_from((node_id, node_id, "Same label")))
    return a_node(node_id, kind, config, label=label, disabled=draw(st.integers(0, 4)) == 0)


@st.composite
def definitions(draw: st.DrawFn, *, max_nodes: int = 10) -> Definition:
    """A definition that can be run, of any shape: joins, several entries, islands, error branches, double edges."""
    ordered = [draw(nodes(f"n{number}")) for number in range(draw(st.integers(1, max_nodes)))]
    edges: list[Edge] = []
    for number, source in enumerate(ordered):
        handles = st.sampled_from(("", *output_handles(source)))
        for target in ordered[number + 1 :]:
            # No edge is the likeliest, two with different handles are possible.
            for handle in draw(
                st.lists(handles, max_size=2) if draw(st.integers(0, 2)) == 0 else st.just([])
            ):
                edges.append(an_edge(source.id, target.id, handle, edge_id=f"e{len(edges)}"))
    # The order in which nodes and edges are listed says nothing about which comes first in a run.
    return Definition(tuple(draw(st.permutations(ordered))), tuple(draw(st.permutations(edges))))


json_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


def nested(depth: int) -> list[Any]:
    """A list in a list in a list …, as deep as wanted."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value
