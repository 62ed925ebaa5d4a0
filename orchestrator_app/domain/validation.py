"""The one check of a definition: editor, API, import and run start all use ``validate``; it returns ALL problems."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator_app.domain.config_checks import Finding, check_config
from orchestrator_app.domain.definition import ERROR_HANDLE, Definition, Edge, Node, Problem
from orchestrator_app.domain.json_values import is_blank, quoted
from orchestrator_app.domain.node_kinds import (
    CONDITION,
    DATA_MAPPER,
    ERROR_BOUNDARY,
    LOCAL_FLOW,
    NODE_KINDS,
    REMOTE_WEBHOOK,
    completion_of,
    is_plain,
    output_handles,
    provider_of,
    setting,
)
from orchestrator_app.domain.parsing import parse_definition
from orchestrator_app.domain.planning import find_cycle
from orchestrator_app.domain.remote_fields import PLAIN_PROVIDERS

MAX_PROBLEMS = 1_000
_MAX_NAMES_OF_CYCLE = 10
_AUTHORITY = re.compile(r"https?://([^/?#]*)([/?#])?", re.IGNORECASE)
# These need no account: their calls go to a plain address, or stay in this process.
_PROVIDERS_WITHOUT_CONNECTION = (*PLAIN_PROVIDERS, "simulated")


@dataclass(frozen=True, slots=True)
class Validation:
    """Outcome of a validation. ``definition`` is None only when nothing of the input can be used."""

    definition: Definition | None
    problems: tuple[Problem, ...]

    @property
    def can_save(self) -> bool:
        """Whether it may be kept, if only as a draft."""
        return self.definition is not None and all(problem.blocks != "save" for problem in self.problems)

    @property
    def can_run(self) -> bool:
        """Whether it may be run."""
        return self.can_save and all(problem.blocks == "nothing" for problem in self.problems)


def validate(raw: object) -> Validation:
    """Check a definition of any origin.

    Args:
        raw: Parsed JSON.
    """
    definition, problems = parse_definition(raw)
    if definition is not None:
        # What cannot be read is one problem, not one more for each edge that leads to it.
        unreadable = {problem.node_id for problem in problems} - {node.id for node in definition.nodes}
        was_readable = not problems
        problems += [
            problem
            for problem in check(definition, frozenset(unreadable))
            if problem.code != "empty" or was_readable
        ]
    return Validation(definition, _bounded(problems))


def _bounded(problems: list[Problem]) -> tuple[Problem, ...]:
    """The first problems, and one that stands for those that nobody will read any more."""
    if len(problems) <= MAX_PROBLEMS:
        return tuple(problems)
    rest = {problem.blocks for problem in problems[MAX_PROBLEMS:]}
    more = len(problems) - MAX_PROBLEMS
    message = f"There are {more:,} more problems. Mend these first, then check again."
    blocks = "save" if "save" in rest else "run" if "run" in rest else "nothing"
    return (*problems[:MAX_PROBLEMS], Problem("more_problems", message, blocks=blocks))


def check(definition: Definition, unreadable: frozenset[str] = frozenset()) -> Iterator[Problem]:
    """All problems of a definition whose shape is right.

    Args:
        definition: The graph.
        unreadable: Ids of nodes that were there, but could not be read; that edges lead to them is no problem more.
    """
    if not definition.nodes:
        yield Problem("empty", "There are no nodes yet. Add one from the palette.")
    yield from _identity(definition)
    yield from _wiring(definition, unreadable)
    yield from _cycle(definition)
    for node in definition.nodes:
        # A disabled node only hands on its input, so what it would need in order to work can wait.
        findings = [
            finding for finding in check_config(node) if finding.blocks == "save" or not node.disabled
        ]
        if not node.disabled:
            findings += _meaning(node)
        for finding in findings:
            yield Problem(
                finding.code,
                finding.message,
                node.id,
                field=finding.field,
                blocks=finding.blocks,
                subject=node.label,
            )


def _cycle(definition: Definition) -> Iterator[Problem]:
    cycle = find_cycle(definition)
    if not cycle:
        return
    labels = {node.id: quoted(node.label) for node in definition.nodes}
    names = [labels[node_id] for node_id in cycle]
    if len(names) > _MAX_NAMES_OF_CYCLE:
        names = [*names[: _MAX_NAMES_OF_CYCLE - 1], "…", names[-1]]
    message = f"The edges go round in a circle: {' → '.join([*names, names[0]])}. Remove one of them."
    yield Problem("cycle", message, node_id=cycle[0], blocks="save")


def _identity(definition: Definition) -> Iterator[Problem]:
    for node_id, count in Counter(node.id for node in definition.nodes).items():
        if count > 1:
            message = f"{count} nodes share the id {quoted(node_id)}. Give each its own."
            yield Problem("duplicate_id", message, node_id=node_id, blocks="save")
    for edge_id, count in Counter(edge.id for edge in definition.edges).items():
        if count > 1:
            message = f"{count} edges share the id {quoted(edge_id)}. Give each its own."
            yield Problem("duplicate_id", message, edge_id=edge_id, blocks="save")
    ids = {node.id for node in definition.nodes}
    seen: set[str] = set()
    for node in definition.nodes:
        label = quoted(node.label)
        if node.label in seen:
            message = f"Another node is called {label} too, and expressions find only the first. Rename one of them."
            yield Problem("duplicate_label", message, node_id=node.id, blocks="nothing")
        elif node.label != node.id and node.label in ids:
            message = (
                f"{label} is the id of another node too, and expressions find that one. Rename this node."
            )
            yield Problem("duplicate_label", message, node_id=node.id, blocks="nothing")
        seen.add(node.label)


def _wiring(definition: Definition, unreadable: frozenset[str]) -> Iterator[Problem]:
    nodes = {node.id: node for node in definition.nodes}
    handles = {node.id: output_handles(node) for node in definition.nodes if node.kind == CONDITION.name}
    known = nodes.keys() | unreadable
    seen: set[tuple[str, str, str, str]] = set()
    for edge in definition.edges:
        yield from _ends(edge, known)
        source, target = nodes.get(edge.source), nodes.get(edge.target)
        if source is None or target is None:
            continue
        name = f"The edge from {quoted(source.label)} to {quoted(target.label)}"
        key = (edge.source, edge.source_handle, edge.target, edge.target_handle)
        if key in seen:
            message = f"{name} is there twice. Remove one."
            yield Problem("duplicate_edge", message, edge_id=edge.id, blocks="nothing")
        seen.add(key)
        if edge.source_handle == ERROR_HANDLE and not NODE_KINDS[source.kind].has_error_handle:
            message = f"{name} starts at an error output, but {quoted(source.label)} cannot fail. Connect its output."
            yield Problem("unknown_handle", message, source.id, edge.id)
        elif source.kind == CONDITION.name and not edge.source_handle:
            message = f"{name} starts at no branch, so it is taken in every case. Connect it to a branch if it should not."
            yield Problem("no_handle", message, source.id, edge.id, blocks="nothing")
        elif source.kind == CONDITION.name and edge.source_handle not in handles[source.id]:
            message = f"{name} starts at the branch {quoted(edge.source_handle)}, which {quoted(source.label)} does not have."
            hint = "Connect it to one that exists, or add a case with that name."
            yield Problem("unknown_handle", f"{message} {hint}", source.id, edge.id)
    caught = {edge.target for edge in definition.edges if edge.source_handle == ERROR_HANDLE}
    for node in definition.nodes:
        if node.kind == ERROR_BOUNDARY.name and node.id not in caught:
            message = (
                f"No error output leads to {quoted(node.label)}, so it catches nothing. Connect one to it."
            )
            yield Problem("no_error_edge", message, node_id=node.id, blocks="nothing")


def _ends(edge: Edge, known: set[str]) -> Iterator[Problem]:
    for verb, node_id in (("starts at", edge.source), ("leads to", edge.target)):
        if node_id not in known:
            message = (
                f"Edge {quoted(edge.id)} {verb} {quoted(node_id)}, but there is no node with that id. "
                "Connect it to a node, or remove it."
            )
            yield Problem("dangling_edge", message, edge_id=edge.id, blocks="save")


def _meaning(node: Node) -> Iterator[Finding]:
    """What the single fields cannot tell: values that only make sense together, and what is of no use."""
    if node.kind == REMOTE_WEBHOOK.name:
        yield from _check_call(node)
    elif node.kind == LOCAL_FLOW.name:
        if _is_blank(node, "baseURL") and _is_blank(node, "connectionId"):
            message = "“Flowise address” or “Connection” is missing. Fill in one of them."
            yield Finding("missing_value", "baseURL", message)
        elif completion_of(node) == "poll" and _is_blank(node, "connectionId"):
            message = "“Connection” is missing. Polling asks Flowise for the result, which needs a key."
            yield Finding("missing_value", "connectionId", message)
        yield from _check_address(node, "baseURL")
    elif node.kind == CONDITION.name:
        if not node.config.get("cases"):
            message = "There is no case, so everything takes the default branch. Add a case."
            yield Finding("no_cases", "cases", message, "nothing")
        if setting(node, "defaultHandle") == ERROR_HANDLE:
            message = f"“Default branch” cannot be called “{ERROR_HANDLE}”. Choose another name."
            yield Finding("bad_handle", "defaultHandle", message)
    elif node.kind == DATA_MAPPER.name and not node.config.get("mappings"):
        outcome = (
            "its input goes on unchanged" if setting(node, "mode") == "extend" else "its output is empty"
        )
        yield Finding(
            "no_mappings", "mappings", f"There is no mapping, so {outcome}. Add a mapping.", "nothing"
        )


def _is_blank(node: Node, key: str) -> bool:
    return is_blank(node.config.get(key))


def _check_call(node: Node) -> Iterator[Finding]:
    provider, has_url = provider_of(node), not _is_blank(node, "url")
    is_polled = completion_of(node) == "poll"
    if not has_url and provider == "custom":
        yield Finding("missing_value", "url", "“Address” is missing. Enter the complete address to call.")
    elif not has_url and is_plain(node):
        message = (
            "“Address” is missing. Enter the complete address to call, or choose a connection and a workflow."
        )
        yield Finding("missing_value", "url", message)
    elif not has_url and _is_blank(node, "workflowId"):
        message = "“Workflow” is missing. Choose the workflow to call, or enter an address."
        yield Finding("missing_value", "workflowId", message)
    needs_connection = provider not in _PROVIDERS_WITHOUT_CONNECTION and (is_polled or not has_url)
    if needs_connection and _is_blank(node, "connectionId"):
        why = (
            "Polling asks the platform for the result" if has_url else "The platform is asked for the address"
        )
        message = f"“Connection” is missing. {why}, so choose the connection to use."
        yield Finding("missing_value", "connectionId", message)
    yield from _check_address(node, "url")
    yield from _check_address(node, "statusUrl")
    yield from _check_polling(node, is_polled=is_polled)


def _check_polling(node: Node, *, is_polled: bool) -> Iterator[Finding]:
    is_custom = provider_of(node) == "custom"
    if is_custom and is_polled and _is_blank(node, "doneCondition"):
        message = (
            "“Done when” is missing. Enter an expression that is true when the status address shows the end, for "
            'instance data.status = "done"; or choose another completion.'
        )
        yield Finding("missing_value", "doneCondition", message)
    elif is_polled and is_plain(node) and not is_custom:
        message = (
            "Without a connection a plain address cannot be polled. Choose a connection, or the completion “response” "
            "or “callback”."
        )
        yield Finding("cannot_poll", "completion", message)
    elif (
        node.config.get("enablePolling") is True
        and not is_polled
        and (is_plain(node) or is_custom)
        and _is_blank(node, "completion")
    ):
        message = "A plain address cannot be polled like this, so its answer is taken as the result."
        yield Finding("cannot_poll", "enablePolling", message, "nothing")


def _check_address(node: Node, key: str) -> Iterator[Finding]:
    """A finding if what is known of an address before a run cannot become one."""
    value = node.config.get(key)
    url = value.strip() if isinstance(value, str) else ""
    if not url or url.startswith("{{"):
        return
    fixed, braces, _ = url.partition("{{")
    match = _AUTHORITY.match(fixed)
    # While a {{ }} stands in or before the host and port, they are not known yet.
    if match and (_names_a_host(match[0]) if match[2] or not braces else True):
        return
    message = (
        f"{quoted(url, 100)} is no complete address. It must start with http:// or https:// and name a host, for "
        "example https://example.org/hook."
    )
    yield Finding("bad_url", key, message)


def _names_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port raises ValueError when it is none.
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", url)
    except ValueError:
        return False
