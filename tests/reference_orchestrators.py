"""Ten orchestrators that between them do everything a run can do, and one whose calls must not be repeated.

Each is built for the address of a ``FakeServer`` and ends the same way however often its process is killed. Their
calls go to paths of their own, so that the server's journal tells the nodes apart.
"""

from collections.abc import Callable
from typing import Any

from orchestrator_app.domain.definition import Definition, Node
from tests.running import condition, graph, mapper, node, wait

Build = Callable[[str], Definition]
PARALLEL_CALLS = 10


def call(node_id: str, url: str, **config: Any) -> Node:
    """A call over HTTP that may be repeated, unless the config says otherwise."""
    return node(node_id, "RemoteWebhook", **{"provider": "custom", "url": url, "method": "PUT", **config})


def polled(node_id: str, url: str, end: str) -> Node:
    """A job of which the third look sees the end; each run has a job of its own."""
    job = f"{url}/job/{{{{ run.id }}}}-{node_id}?looks=3&end={end}"
    return call(
        node_id,
        job,
        method="POST",
        idempotent=True,
        completion="poll",
        pollingInterval=5_000,
        statusUrl=job,
        doneCondition="data.status = 'done'",
        failedCondition="data.status = 'broken'",
    )


def a_chain(url: str) -> Definition:
    nodes = [
        call("a", f"{url}/echo/a"),
        mapper("b", n="data.total", mode="extend"),
        call("c", f"{url}/echo/c"),
        call("d", f"{url}/echo/d"),
    ]
    return graph(nodes, "a b, b c, c d")


def a_diamond(url: str) -> Definition:
    nodes = [call(name, f"{url}/echo/{name}") for name in "abcde"]
    return graph(nodes, "a b, a c, b d, c d, d e")


def ten_calls_side_by_side(url: str) -> Definition:
    names = [f"n{number}" for number in range(PARALLEL_CALLS)]
    nodes = [node("fork", "Parallel"), *(call(name, f"{url}/echo/{name}") for name in names)]
    edges = [edge for name in names for edge in (f"fork {name}", f"{name} join")]
    return graph([*nodes, mapper("join", total="data.total")], ", ".join(edges))


def a_branch_taken_and_one_skipped(url: str) -> Definition:
    nodes = [
        call("a", f"{url}/echo/a"),
        condition("if", yes="data.total > 5"),
        call("b", f"{url}/echo/b"),
        call("skipped", f"{url}/echo/skipped"),
        mapper("skipped_too", n="data.total"),
        mapper("join", total="data.total"),
    ]
    return graph(nodes, "a if, if:yes b, if:default skipped, skipped skipped_too, skipped_too join, b join")


def tries_after_failures(url: str) -> Definition:
    nodes = [
        call("flaky", f"{url}/flaky/{{{{ run.id }}}}?fail=2", retryAttempts=9),
        call("busy", f"{url}/flaky/{{{{ run.id }}}}-busy?fail=1", retryAttempts=9, retryDelay=60_000),
        call("last", f"{url}/echo/last"),
    ]
    return graph(nodes, "flaky last, busy last")


def a_failure_that_is_handled(url: str) -> Definition:
    nodes = [
        call("bad", f"{url}/status/404"),
        node("rescue", "ErrorBoundary"),
        call("good", f"{url}/echo/good"),
        call("last", f"{url}/echo/last", bodyTemplate='{"code": "{{ nodes.bad.error.code }}"}'),
    ]
    return graph(nodes, "bad:error rescue, rescue last, good last")


def callbacks(url: str) -> Definition:
    nodes = [
        call("ask", f"{url}/echo/ask"),
        wait("answer"),
        wait("second"),
        call("last", f"{url}/echo/last", bodyTemplate='{"n": {{ nodes.answer.output.n }}}'),
    ]
    return graph(nodes, "ask answer, answer second, second last")


def a_workflow_that_calls_back(url: str) -> Definition:
    nodes = [
        call("own", f"{url}/echo/own", completion="callback"),
        call("beside", f"{url}/echo/beside"),
        call("last", f"{url}/echo/last", bodyTemplate='{"done": true}'),
    ]
    return graph(nodes, "own last, beside last")


def a_timer_and_a_job_that_is_polled(url: str) -> Definition:
    nodes = [
        polled("job", url, "done"),
        wait("patience", timeout=30_000, onTimeout="continue"),
        call("last", f"{url}/echo/last", bodyTemplate='{"done": true}'),
    ]
    return graph(nodes, "job last, patience last")


def a_job_that_fails_while_it_is_polled(url: str) -> Definition:
    nodes = [
        polled("job", url, "broken"),
        node("rescue", "ErrorBoundary"),
        call("last", f"{url}/echo/last", bodyTemplate='{"code": "{{ nodes.job.error.code }}"}'),
    ]
    return graph(nodes, "job:error rescue, rescue last")


REPEATABLE: list[Build] = [
    a_chain,
    a_diamond,
    ten_calls_side_by_side,
    a_branch_taken_and_one_skipped,
    tries_after_failures,
    a_failure_that_is_handled,
    callbacks,
    a_workflow_that_calls_back,
    a_timer_and_a_job_that_is_polled,
    a_job_that_fails_while_it_is_polled,
]


def calls_that_must_not_be_repeated(url: str) -> Definition:
    nodes = [call(name, f"{url}/echo/{name}", method="POST") for name in "abcd"]
    return graph([*nodes, wait("answer")], "a b, b c, a d, d answer")
