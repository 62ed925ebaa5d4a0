"""The catalog of node kinds: their handles and config keys. Validation, drawer and docs all read it."""

from dataclasses import dataclass

from orchestrator_app.domain.config_fields import ConfigField
from orchestrator_app.domain.definition import ERROR_HANDLE, OUT_HANDLE, Node
from orchestrator_app.domain.json_values import JsonValue, is_blank


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


DAY_MS = 86_400_000
METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
WEBHOOK_PROVIDERS = ("custom", "n8n", "make", "zapier", "flowise", "simulated")
# Called by their address alone: the platform behind it is not asked for anything else.
PLAIN_PROVIDERS = ("custom", "make", "zapier")
COMPLETIONS = ("response", "poll", "callback")
DEFAULT_CASE_HANDLE = "default"

_TIMEOUT = ConfigField(
    "timeout",
    "milliseconds",
    "Timeout",
    30_000,
    help="How long to wait for the answer, in milliseconds.",
    least=1,
    most=DAY_MS,
    section="Reliability",
)

REMOTE_WEBHOOK = NodeKind(
    "RemoteWebhook",
    "Remote webhook",
    "Calls a workflow on n8n, Make, Zapier or any web address, and takes its result.",
    "globe",
    "indigo",
    (
        ConfigField(
            "provider", "choice", "Platform", "custom", "Where the workflow runs.", WEBHOOK_PROVIDERS
        ),
        ConfigField(
            "connectionId",
            "connection",
            "Connection",
            help="The stored connection whose key is used. Not needed for a plain address.",
        ),
        ConfigField(
            "workflowId",
            "text",
            "Workflow",
            help="Id of the workflow on the platform. Needed for polling and for a call without an address.",
        ),
        ConfigField(
            "url",
            "template",
            "Address",
            help="Complete address to call. May contain {{ }}. Empty: the workflow's own webhook.",
        ),
        ConfigField("method", "choice", "Method", "POST", "HTTP method of the call.", METHODS),
        ConfigField("headers", "headers", "Headers", {}, "Extra request headers. Values may contain {{ }}."),
        ConfigField(
            "bodyTemplate",
            "body",
            "Body",
            help="Request body. Empty: the node's input as JSON. {{ }} outside quotes inserts JSON, inside quotes text.",
        ),
        ConfigField(
            "completion",
            "choice",
            "Completion",
            "response",
            "When the node is done: with the answer, when polling sees the end, or when the workflow calls back.",
            COMPLETIONS,
            section="Completion",
        ),
        ConfigField(
            "enablePolling",
            "boolean",
            "Poll for the result",
            default=False,
            help="The older way to say completion = poll.",
            section="Completion",
        ),
        ConfigField(
            "pollingInterval",
            "milliseconds",
            "Polling interval",
            2_000,
            "Pause between two looks, in milliseconds.",
            least=100,
            most=DAY_MS,
            section="Completion",
        ),
        ConfigField(
            "maxPollingAttempts",
            "integer",
            "Most polls",
            30,
            "After so many looks without an end the node fails.",
            least=1,
            most=100_000,
            section="Completion",
        ),
        ConfigField(
            "callbackTimeout",
            "milliseconds",
            "Callback timeout",
            3_600_000,
            "How long to wait for the call back after the answer, in milliseconds.",
            least=1,
            most=90 * DAY_MS,
            section="Completion",
        ),
        ConfigField(
            "successCondition",
            "expression",
            "Success condition",
            help="JSONata over the answer as `data`. If it is not true, the node fails.",
            section="Completion",
        ),
        _TIMEOUT,
        ConfigField(
            "retryAttempts",
            "integer",
            "Retries",
            3,
            "Further tries after a failure that may pass.",
            least=0,
            most=10,
            section="Reliability",
        ),
        ConfigField(
            "retryDelay",
            "milliseconds",
            "Retry delay",
            1_000,
            "Base of the pause before a retry, in milliseconds; it doubles each time and is drawn at random.",
            least=1,
            most=3_600_000,
            section="Reliability",
        ),
        ConfigField(
            "idempotent",
            "boolean",
            "Safe to repeat",
            help="Whether this call may be sent again when its outcome is not known. Default: yes for GET, PUT and "
            "DELETE, no for POST and PATCH. If no, an unclear outcome stops the node and you decide.",
            section="Reliability",
        ),
    ),
    has_error_handle=True,
)

LOCAL_FLOW = NodeKind(
    "LocalFlow",
    "Local flow",
    "Asks a Flowise chatflow or agentflow and takes its answer.",
    "bot",
    "violet",
    (
        ConfigField("flowId", "text", "Flow", help="Id of the flow in Flowise.", required=True),
        ConfigField(
            "baseURL",
            "template",
            "Flowise address",
            help="For example http://127.0.0.1:3000. Empty: the connection's.",
        ),
        ConfigField(
            "connectionId", "connection", "Connection", help="The stored connection whose key is used."
        ),
        ConfigField(
            "question",
            "template",
            "Question",
            help="What to ask. May contain {{ }}. Empty: the input as JSON text.",
        ),
        _TIMEOUT,
    ),
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


def setting(node: Node, key: str) -> JsonValue:
    """A node's config value, or the default of its kind. An emptied field of the drawer counts as absent."""
    value = node.config.get(key)
    if not is_blank(value):
        return value
    field = NODE_KINDS[node.kind].field(key)
    return field.default if field else None


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


def completion_of(node: Node) -> str:
    """How a RemoteWebhook is known to be done: ``response``, ``poll`` or ``callback``.

    The original knew only ``enablePolling``; an explicit ``completion`` wins over it. A plain address has nothing to
    poll, so there the answer is the result.
    """
    declared = node.config.get("completion")
    if isinstance(declared, str) and declared.strip():
        return declared
    is_polled = node.config.get("enablePolling") is True and setting(node, "provider") not in PLAIN_PROVIDERS
    return "poll" if is_polled else "response"
