"""Config keys of the nodes that work with workflows outside: Remote webhook and Local flow."""

from dataclasses import replace

from orchestrator_app.domain.config_fields import ConfigField

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
WEBHOOK_PROVIDERS = ("custom", "n8n", "make", "zapier", "flowise", "simulated")
# Without a connection they are called by their address alone: nobody can be asked for anything else.
PLAIN_PROVIDERS = ("custom", "make", "zapier")
COMPLETIONS = ("response", "poll", "callback")

_CONNECTION = ConfigField(
    "connectionId",
    "connection",
    "Connection",
    help="The stored connection whose key is used. Not needed for a plain address.",
)
_INPUTS = ConfigField(
    "inputs",
    "inputs",
    "Inputs",
    {},
    "What the workflow asks for, by name. Values may contain {{ }}; a value that is one single {{ }} keeps its type. "
    "A dot in a name makes an object. With a body of its own the call does not use them.",
)
_HASH = ConfigField(
    "workflowHash",
    "text",
    "Known content",
    help="Stands for the workflow's content when this node was made, so that later changes of it are noticed. Set by "
    "itself.",
)
_COMPLETION = ConfigField(
    "completion",
    "choice",
    "Completion",
    "response",
    "When the node is done: with the answer, when polling sees the end, or when the workflow calls back.",
    COMPLETIONS,
    section="Completion",
)
_INTERVAL = ConfigField(
    "pollingInterval",
    "milliseconds",
    "Polling interval",
    2_000,
    "Pause before the first look, in milliseconds. It grows by a quarter with each look, up to 30 seconds.",
    least=100,
    most=DAY_MS,
    section="Completion",
)
_POLLING_TIMEOUT = ConfigField(
    "pollingTimeout",
    "milliseconds",
    "Polling timeout",
    help="How long to look for the end after the answer, in milliseconds. Empty: polling interval times most polls.",
    least=1,
    most=90 * DAY_MS,
    section="Completion",
)
_CALLBACK_TIMEOUT = ConfigField(
    "callbackTimeout",
    "milliseconds",
    "Callback timeout",
    HOUR_MS,
    "How long to wait for the call back after the answer, in milliseconds.",
    least=1,
    most=90 * DAY_MS,
    section="Completion",
)
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

REMOTE_WEBHOOK_FIELDS = (
    ConfigField("provider", "choice", "Platform", "custom", "Where the workflow runs.", WEBHOOK_PROVIDERS),
    _CONNECTION,
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
    _INPUTS,
    ConfigField(
        "bodyTemplate",
        "body",
        "Body",
        help="Request body. Empty: the inputs, or else the node's input as JSON. {{ }} outside quotes inserts JSON, "
        "inside quotes text.",
    ),
    _HASH,
    _COMPLETION,
    ConfigField(
        "enablePolling",
        "boolean",
        "Poll for the result",
        default=False,
        help="The older way to say completion = poll.",
        section="Completion",
    ),
    _INTERVAL,
    ConfigField(
        "maxPollingAttempts",
        "integer",
        "Most polls",
        30,
        "Counts only without a polling timeout: so many intervals are spent polling.",
        least=1,
        most=100_000,
        section="Completion",
    ),
    _POLLING_TIMEOUT,
    ConfigField(
        "statusUrl",
        "template",
        "Status address",
        help="Only for polling a web address: what to ask for the state. May contain {{ }}; `data` is the answer to "
        "the call. Empty: the answer's header Location.",
        section="Completion",
    ),
    ConfigField(
        "doneCondition",
        "expression",
        "Done when",
        help="Only for polling a web address: JSONata over what the status address answers, as `data`. When it is "
        "true, that answer is the result.",
        section="Completion",
    ),
    ConfigField(
        "failedCondition",
        "expression",
        "Failed when",
        help="Only for polling a web address: JSONata over what the status address answers, as `data`. When it is "
        "true, the node fails.",
        section="Completion",
    ),
    _CALLBACK_TIMEOUT,
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
        most=HOUR_MS,
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
)

LOCAL_FLOW_FIELDS = (
    ConfigField("flowId", "text", "Flow", help="Id of the flow in Flowise.", required=True),
    ConfigField(
        "baseURL",
        "template",
        "Flowise address",
        help="For example http://127.0.0.1:3000. Empty: the connection's.",
    ),
    replace(_CONNECTION, help="The stored connection whose key is used."),
    ConfigField(
        "question",
        "template",
        "Question",
        help="What to ask. May contain {{ }}. Empty: nothing if there are inputs, else the input as JSON text.",
    ),
    replace(
        _INPUTS,
        help="What the flow asks for beside the question, by name. Values may contain {{ }}; a value that is one single "
        "{{ }} keeps its type. A dot in a name makes an object: form.name is the field name of a form.",
    ),
    ConfigField(
        "streaming",
        "boolean",
        "Stream the answer",
        default=False,
        help="Let Flowise send the answer piece by piece, so that a long one is not cut. The result is the same.",
    ),
    _HASH,
    _COMPLETION,
    _INTERVAL,
    replace(
        _POLLING_TIMEOUT,
        default=HOUR_MS,
        help="How long to look for the end after the answer, in milliseconds.",
    ),
    _CALLBACK_TIMEOUT,
    _TIMEOUT,
)
