"""The orchestrators that are measured."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_COLUMNS = 5
_COLUMN_WIDTH = 260
_ROW_HEIGHT = 140


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges as the REST API takes them."""

    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]


def no_op(nodes: int = 1) -> Graph:
    """Nodes in a row that do nothing."""
    return _row([_node(number, "Parallel", {}) for number in range(nodes)])


def chain(urls: list[str]) -> Graph:
    """Calls one after the other."""
    return _row([_node(number, "RemoteWebhook", {"url": url}) for number, url in enumerate(urls)])


def mappers(mappings: dict[str, str], nodes: int) -> Graph:
    """The same mapping of data again and again, each added to what came before."""
    pairs = [{"from": source, "to": target} for source, target in mappings.items()]
    config = {"mappings": pairs, "mode": "extend"}
    return _row([_node(number, "DataMapper", config) for number in range(nodes)])


def conditions(expressions: list[str]) -> Graph:
    """Decisions one after the other, each of which leads to the next when it is true."""
    nodes = [
        _node(number, "Condition", {"cases": [{"expression": expression, "handle": "yes"}]})
        for number, expression in enumerate(expressions)
    ]
    return _row(nodes, handle="yes")


def merged(urls: list[str], mappings: dict[str, str]) -> Graph:
    """Calls side by side, whose answers meet in one node that keeps them and one that maps them."""
    fork = _node(0, "Parallel", {})
    calls = [_node(number, "RemoteWebhook", {"url": url}) for number, url in enumerate(urls, 1)]
    merge = _node(len(urls) + 1, "Parallel", {})
    pairs = [{"from": source, "to": target} for source, target in mappings.items()]
    end = _node(len(urls) + 2, "DataMapper", {"mappings": pairs})
    edges = [_edge(*ends) for call in calls for ends in ((fork["id"], call["id"]), (call["id"], merge["id"]))]
    return Graph([fork, *calls, merge, end], [*edges, _edge(merge["id"], end["id"])])


def branches(urls: list[str]) -> Graph:
    """Calls side by side."""
    fork = _node(0, "Parallel", {})
    nodes = [_node(number, "RemoteWebhook", {"url": url}) for number, url in enumerate(urls, 1)]
    return Graph([fork, *nodes], [_edge(fork["id"], node["id"]) for node in nodes])


def mapper(mappings: dict[str, str]) -> Graph:
    """One mapping of data, from expressions to targets."""
    pairs = [{"from": source, "to": target} for source, target in mappings.items()]
    return Graph([_node(0, "DataMapper", {"mappings": pairs})], [])


def polled(url: str, status_url: str) -> Graph:
    """A call whose result is never there, and is looked for again and again."""
    config = {
        "url": url,
        "completion": "poll",
        "statusUrl": status_url,
        "doneCondition": "data.done",
        "pollingTimeout": 3_600_000,
    }
    return Graph([_node(0, "RemoteWebhook", config)], [])


def waiting(url: str, *, timeout_ms: int) -> Graph:
    """A wait for a callback that goes on when its time is over, and a call behind it."""
    config = {"timeout": timeout_ms, "onTimeout": "continue"}
    nodes = [_node(0, "WaitForCallback", config), _node(1, "RemoteWebhook", {"url": url})]
    return Graph(nodes, [_edge("n0", "n1")])


def _node(number: int, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": f"n{number}",
        "type": "orchestratorNode",
        "position": {"x": column * _COLUMN_WIDTH, "y": row * _ROW_HEIGHT},
        "data": {"label": f"Step {number}", "nodeType": kind, "config": config},
    }


def _row(nodes: list[dict[str, Any]], handle: str = "") -> Graph:
    """The nodes, each connected to the next."""
    return Graph(nodes, [_edge(a["id"], b["id"], handle) for a, b in pairwise(nodes)])


def _edge(source: str, target: str, handle: str = "") -> dict[str, Any]:
    edge = {"id": f"{source}-{target}", "source": source, "target": target}
    return edge | {"sourceHandle": handle} if handle else edge
