"""The catalog of node kinds: their handles and config keys. Validation, drawer and docs all read it."""

from dataclasses import dataclass

from orchestrator_app.domain.config_fields import ConfigField
from orchestrator_app.domain.definition import ERROR_HANDLE, OUT_HANDLE, Node
from orchestrator_app.domain.json_values import JsonValue, is_blank
from orchestrator_app.domain.remote_fields import (
    DAY_MS,
    LOCAL_FLOW_FIELDS,
    PLAIN_PROVIDERS,
    REMOTE_WEBHOOK_FIELDS,
)


@dataclass(frozen=True, slots=True)
class NodeKind:
    """A kind of node.

    Attributes:
        name: ``nodeType`` in the definition.
        title: Name on screen.
        summary: One sentence for palette and docs.
        icon: Name of the lucide icon.
        color: Radix colour scale.
        fields: Config keys in the order of the drawer.
        has_error_handle: Whether its failure can lead into a branch.
    """

    name: str
    title: str
    summary: str
    icon: str
    color: str
    fields: tuple[ConfigField, ...]
    has_error_handle: bool

    def field(self, key: str) -> ConfigField | None:
        """The field by that key, or None."""
        return next((field for field in self.fields if field.key == key), None)


DEFAULT_CASE_HANDLE = "default"
# The connection of a Local flow that asks a flow inside this program.
BUILT_IN_CONNECTION = "simulated"

REMOTE_WEBHOOK = NodeKind(
    "RemoteWebhook",
    "Remote webhook",
    "Calls a workflow on n8n, Make, Zapier or any web address, and takes its result.",
    "globe",
    "indigo",
    REMOTE_WEBHOOK_FIELDS,
    has_error_handle=True,
)

LOCAL_FLOW = NodeKind(
    "LocalFlow",
    "Local flow",
    "Asks a Flowise chatflow or agentflow and takes its answer.",
    "bot",
    "violet",
    LOCAL_FLOW_FIELDS,
    has_error_handle=True,
)

DATA_MAPPER = NodeKind(
    "DataMapper",
    "Data mapper",
    "Builds new data from the input and from earlier nodes.",
    "braces",
    "amber",
    (
        ConfigField(
            "mappings",
            "mappings",
            "Mappings",
            [],
            "Each takes a value (an expression, or a literal after =) and puts it at a path such as a.b[0].c.",
        ),
        ConfigField(
            "mode",
            "choice",
            "Mode",
            "replace",
            "replace: only the mapped values go on. extend: they are added to the input.",
            ("replace", "extend"),
        ),
    ),
    has_error_handle=True,
)

WAIT_FOR_CALLBACK = NodeKind(
    "WaitForCallback",
    "Wait for callback",
    "Pauses the run until somebody calls its callback address.",
    "hourglass",
    "cyan",
    (
        ConfigField(
            "timeout",
            "milliseconds",
            "Timeout",
            3_600_000,
            "How long to wait, in milliseconds, from the moment the run reaches this node.",
            least=1,
            most=90 * DAY_MS,
        ),
        ConfigField(
            "onTimeout",
            "choice",
            "After the timeout",
            "fail",
            "fail: the node fails. continue: the run goes on with the node's input.",
            ("fail", "continue"),
        ),
        ConfigField(
            "schema",
            "json",
            "Body schema",
            help="JSON Schema that a callback's body must meet. Others are refused and the wait goes on.",
        ),
    ),
    has_error_handle=True,
)

CONDITION = NodeKind(
    "Condition",
    "Condition",
    "Sends the data down the first branch whose expression is true.",
    "split",
    "plum",
    (
        ConfigField(
            "cases",
            "cases",
            "Cases",
            [],
            "Looked at in order; the first whose JSONata expression is true is taken.",
        ),
        ConfigField(
            "defaultHandle",
            "text",
            "Default branch",
            DEFAULT_CASE_HANDLE,
            "Name of the branch taken when no case is true.",
        ),
    ),
    has_error_handle=True,
)

ERROR_BOUNDARY = NodeKind(
    "ErrorBoundary",
    "Error boundary",
    "Takes over when a node fails: connect a node's error handle to it.",
    "shield-alert",
    "red",
    (
        ConfigField(
            "fallback",
            "body",
            "Fallback",
            help="JSON with {{ }} that goes on instead. Empty: the error and the failed node's input go on.",
        ),
    ),
    has_error_handle=True,
)

PARALLEL = NodeKind(
    "Parallel",
    "Parallel",
    "Starts all its branches at once with the same data.",
    "git-fork",
    "teal",
    (),
    has_error_handle=False,
)

NODE_KINDS: dict[str, NodeKind] = {
    kind.name: kind
    for kind in (
        REMOTE_WEBHOOK,
        LOCAL_FLOW,
        DATA_MAPPER,
        CONDITION,
        WAIT_FOR_CALLBACK,
        ERROR_BOUNDARY,
        PARALLEL,
    )
}


# Runs ask for settings all the time.
_DEFAULTS = {name: {field.key: field.default for field in kind.fields} for name, kind in NODE_KINDS.items()}


def setting(node: Node, key: str) -> JsonValue:
    """A node's config value, or the default of its kind. An emptied field of the drawer counts as absent."""
    value = node.config.get(key)
    if not is_blank(value):
        return value
    return _DEFAULTS[node.kind].get(key)


def output_handles(node: Node) -> tuple[str, ...]:
    """Handles from which edges may leave the node, in the order drawn, the error handle last."""
    handles: dict[str, None] = {}
    if node.kind == CONDITION.name:
        cases = node.config.get("cases")
        for case in cases if isinstance(cases, list) else []:
            handle = case.get("handle") if isinstance(case, dict) else None
            if isinstance(handle, str) and handle:
                handles[handle] = None
        default = setting(node, "defaultHandle")
        handles[default if isinstance(default, str) else DEFAULT_CASE_HANDLE] = None
    else:
        handles[OUT_HANDLE] = None
    # A branch must not be called error; while a draft has one, the handle still stands last, and once.
    handles.pop(ERROR_HANDLE, None)
    if NODE_KINDS[node.kind].has_error_handle:
        handles[ERROR_HANDLE] = None
    return tuple(handles)


def is_idempotent(node: Node) -> bool:
    """Whether the node's call may be repeated after an unclear outcome."""
    declared = node.config.get("idempotent")
    if isinstance(declared, bool):
        return declared
    return node.kind == REMOTE_WEBHOOK.name and setting(node, "method") in ("GET", "PUT", "DELETE")


def provider_of(node: Node) -> str:
    """Key of the provider that a RemoteWebhook or a LocalFlow calls."""
    if node.kind == LOCAL_FLOW.name:
        return "simulated" if node.config.get("connectionId") == BUILT_IN_CONNECTION else "flowise"
    return str(setting(node, "provider"))


def is_plain(node: Node) -> bool:
    """Whether a RemoteWebhook calls an address and nothing else: there is no account that could be asked."""
    return provider_of(node) in PLAIN_PROVIDERS and is_blank(node.config.get("connectionId"))


def completion_of(node: Node) -> str:
    """How a RemoteWebhook or a LocalFlow is known to be done: ``response``, ``poll`` or ``callback``.

    The original knew only ``enablePolling``; an explicit ``completion`` wins over it. A plain address has nothing to
    poll without a condition, which the original did not know, so there the answer is the result.
    """
    declared = node.config.get("completion")
    if isinstance(declared, str) and declared.strip():
        return declared
    is_custom = provider_of(node) == "custom"
    is_polled = node.config.get("enablePolling") is True and not is_plain(node) and not is_custom
    return "poll" if is_polled else "response"


def polling_time(node: Node) -> int:
    """How long the node's execution is looked at, in milliseconds."""
    timeout = setting(node, "pollingTimeout")
    if isinstance(timeout, int):
        return timeout
    interval, most = setting(node, "pollingInterval"), setting(node, "maxPollingAttempts")
    return interval * most if isinstance(interval, int) and isinstance(most, int) else 0
