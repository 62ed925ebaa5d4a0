"""The catalog of error codes: a title, what each means and what to do. Problems, the reference and docs use it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code.

    Attributes:
        title: The same few words each time, for people.
        meaning: What happened.
        remedy: What to do about it.
        seen_in: Where it shows: in answers of the API, in the failure of a node or a run, or in both.
    """

    title: str
    meaning: str
    remedy: str
    seen_in: Literal["answer", "failure", "both"] = "answer"


ERROR_CODES: dict[str, ErrorCode] = {
    "bad_request": ErrorCode(
        "Unreadable request",
        "The request could not be read at all: the JSON is broken, is not UTF-8, has a key twice, a number beyond "
        "±(2^53-1), NaN or a NUL character; or a header contradicts itself.",
        "The sentence names line and column or the place in the JSON. Correct it there and send it again.",
    ),
    "too_large": ErrorCode(
        "Too much data",
        "The body has more bytes, levels or values than allowed.",
        "Send less at once. The limit of bytes is the setting `ORCHESTRATOR_MAX_BODY_BYTES`; at most 64 levels and "
        "50,000 values are taken.",
    ),
    "unsupported_media_type": ErrorCode(
        "Wrong content type",
        "The body has a `Content-Type` that this address does not take, or is compressed.",
        "Send JSON in UTF-8 with the header `Content-Type: application/json`. With curl, add "
        "`-H 'Content-Type: application/json'`.",
    ),
    "invalid_input": ErrorCode(
        "Not acceptable",
        "The request was understood, but a field is missing, unknown, of the wrong type or out of its range.",
        "`errors` names each field and what is wrong with it.",
    ),
    "invalid_definition": ErrorCode(
        "Definition with problems",
        "The graph cannot be saved or run like this.",
        "`errors` lists every problem with its node, edge and field, and whether it blocks saving or only running. "
        "`POST /api/v1/orchestrator/validate` checks a definition without keeping it.",
    ),
    "not_found": ErrorCode(
        "Not found",
        "There is nothing by that address or id in your workspace. A callback whose token is wrong, used up or "
        "expired gets the same answer.",
        "Look the id up in the list; it may have been deleted.",
    ),
    "method_not_allowed": ErrorCode(
        "Wrong method",
        "The address exists, but not for this HTTP method. Nothing was done.",
        "Use one of the methods in the header `Allow`.",
    ),
    "conflict": ErrorCode(
        "Conflict",
        "The request collides with the present state: the run has ended already, the name is taken, or an "
        "`Idempotency-Key` was used before with other input.",
        "Read the present state, then decide.",
    ),
    "outcome_undecided": ErrorCode(
        "Outcome not decided",
        "A call of the run may or may not have had its effect. A retry would make it again, and the effect could "
        "then happen twice.",
        "Look on the platform whether it happened, and decide on the page of the run or with "
        "`POST /api/v1/orchestrator/runs/{runId}/nodes/{nodeId}/decide`: done with its output, made again, or failed.",
    ),
    "outdated_version": ErrorCode(
        "Somebody saved in between",
        "The version you started from is not the newest one any more. Nothing was written.",
        "`currentVersion` is the newest one. Read it, merge your change, and save with its version; or save over it "
        "with `If-Match: *`.",
    ),
    "precondition_required": ErrorCode(
        "Version missing",
        "A change must say on which version it is based, so that nobody's work is overwritten.",
        'Send the version you read, as the header `If-Match: "3"` or as the field `version`.',
    ),
    "not_signed_in": ErrorCode(
        "Not signed in",
        "Nobody is signed in.",
        "Sign in, or send your API key.",
    ),
    "not_allowed": ErrorCode(
        "Not permitted",
        "The request comes from a place or a person that may not do this: another web site, or a host name under "
        "which this server is not known.",
        "Open the pages under the address of this server. Further host names are set with "
        "`ORCHESTRATOR_ALLOWED_HOSTS`.",
    ),
    "feature_disabled": ErrorCode(
        "Switched off",
        "Orchestrator is switched off by its settings.",
        "Whoever runs the server can set `ORCHESTRATOR_ENABLED=true` and start it again.",
    ),
    "unavailable": ErrorCode(
        "Not available now",
        "No work can be taken at the moment: the process starts or stops, or the database does not take anything.",
        "Try again after the seconds in the header `Retry-After`. If it lasts, look at the server's log.",
        "both",
    ),
    "internal_error": ErrorCode(
        "Unexpected error",
        "Something went wrong that nobody thought of.",
        "Look for the reference in the server's log, and report what stands there.",
        "both",
    ),
    "user_error": ErrorCode(
        "Cannot be done",
        "The request cannot be carried out like this.",
        "The sentence says what to change.",
    ),
    "credential_unreadable": ErrorCode(
        "Stored key unreadable",
        "The encryption key of this server does not open the stored secret of a connection.",
        "Put back the key file or `ORCHESTRATOR_ENCRYPTION_KEY` with which it was stored, or enter the secret again.",
        "both",
    ),
    "expression_error": ErrorCode(
        "Expression does not work",
        "A template or expression could not be read, or gave no value. A missing value is an error, not an empty "
        "text.",
        "The sentence names the place and the path. Correct the expression, or let it handle the missing value, for "
        "instance `{{ $exists(customer.email) ? customer.email : '' }}`.",
        "both",
    ),
    "provider_error": ErrorCode(
        "Platform trouble",
        "A platform outside did not do what was asked.",
        "The sentence repeats the platform's own reason.",
        "both",
    ),
    "provider_unavailable": ErrorCode(
        "Platform not reachable",
        "No connection came about, or the platform answered that it is down. Nothing was done there.",
        "Nodes try again by themselves. If it lasts, check the address and whether the platform runs.",
        "both",
    ),
    "provider_busy": ErrorCode(
        "Platform limits the rate",
        "The platform answered 429: too many calls.",
        "Nodes try again when the platform allows it. Call less often, or raise the limit there.",
        "both",
    ),
    "provider_refused": ErrorCode(
        "Refused by the platform",
        "The platform says that the call itself is wrong.",
        "Read the platform's reason and correct the node: address, method, headers or body.",
        "both",
    ),
    "credential_refused": ErrorCode(
        "Key refused",
        "The platform does not accept the key of the connection.",
        "Enter a valid key in the connection.",
        "both",
    ),
    "unreadable_answer": ErrorCode(
        "Unreadable answer",
        "The answer is not what the platform documents: an HTML page, broken JSON, or too large.",
        "Check that the address leads to the platform itself and not to a login page or a proxy.",
        "both",
    ),
    "address_not_allowed": ErrorCode(
        "Address not allowed",
        "Calls to this address are not allowed, because it lies inside the server's own network.",
        "Whoever runs the server can allow it with `ORCHESTRATOR_NETWORK_ALLOW`.",
        "both",
    ),
    "outcome_unknown": ErrorCode(
        "Outcome unknown",
        "The call left, and no complete answer came: it may or may not have had its effect. It is not repeated by "
        "itself, because the effect could then happen twice.",
        "Look on the platform whether it happened, and decide on the page of the run: done with its output, made "
        "again, or failed. If the call may be repeated safely, mark the node as safe to repeat.",
        "both",
    ),
    "not_supported": ErrorCode(
        "Not supported by the platform",
        "The platform offers no such thing; nothing was called.",
        "Choose another way, for instance another completion.",
        "both",
    ),
    "run_error": ErrorCode(
        "Run trouble",
        "A run could not go on.",
        "Open the run; its log says more.",
        "failure",
    ),
    "node_failed": ErrorCode(
        "Node failed",
        "A node ended in failure for a reason of its own.",
        "Open the run; the node's attempts and log say more.",
        "failure",
    ),
    "lease_lost": ErrorCode(
        "Run taken over",
        "Another worker carries the run on, or the run was cancelled.",
        "Nothing needs to be done.",
        "failure",
    ),
    "output_too_large": ErrorCode(
        "Output too large",
        "A node's result is larger than may be kept.",
        "Let the workflow return less, or map only what is needed.",
        "failure",
    ),
    "run_too_large": ErrorCode(
        "Run too large",
        "The outputs of all nodes of a run together are larger than may be kept (16 MiB).",
        "Let the nodes give out less, for instance links to the data, or split the work into several runs.",
        "failure",
    ),
    "too_many_attempts": ErrorCode(
        "Too many attempts",
        "The nodes of a run have made as many attempts as one run may make (10,000).",
        "Let its nodes try again less often, or split the work into several runs.",
        "failure",
    ),
    "run_deadline": ErrorCode(
        "Run past its deadline",
        "The run was not done in the time that its orchestrator, or `ORCHESTRATOR_RUN_DEADLINE`, allows. Calls under way were cut, and the platforms were told to stop.",
        "Allow more time in the settings of the orchestrator, or find out which node took so long.",
        "failure",
    ),
    "callback_timeout": ErrorCode(
        "Callback did not come",
        "Nobody called the callback address in time.",
        "Check that the workflow reaches the step that calls back and that it can reach this server "
        "(`ORCHESTRATOR_PUBLIC_URL`), or allow more time.",
        "failure",
    ),
    "poll_timeout": ErrorCode(
        "No result in time",
        "The remote workflow was still running after the last look.",
        "Allow a longer polling timeout, or look at the workflow on its platform.",
        "failure",
    ),
    "success_condition": ErrorCode(
        "Success condition not met",
        "The answer came, but the node's success condition is not true of it.",
        "Look at the answer in the attempt, and correct the condition or the remote workflow.",
        "failure",
    ),
    "remote_failed": ErrorCode(
        "Remote workflow failed",
        "The workflow ran on its platform and ended in failure there.",
        "Follow the link to the execution on its platform.",
        "failure",
    ),
    "run_cancelled": ErrorCode(
        "Cut by a cancel",
        "The run was cancelled while this call was under way, so its outcome is not known.",
        "Look on the platform whether it happened; the run's log says whether it was stopped there.",
        "failure",
    ),
    "remote_cancelled": ErrorCode(
        "Remote workflow cancelled",
        "The workflow was stopped on its platform.",
        "Follow the link to the execution on its platform, and run again.",
        "failure",
    ),
}
