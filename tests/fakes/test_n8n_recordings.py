"""The fake n8n answers as the real ones did: each recorded request is sent to it in the same situation."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.fakes.n8n import FakeN8n
from tests.fakes.n8n_flow import FakeExecution, FakeWorkflow
from tests.fakes.n8n_hooks import resume_url
from tests.fakes.recordings import differences, names, recording, send
from tests.fakes.server import FakeServer

BODY = {"a": 1, "b": 2}
LISTED = 284  # workflows in the recorded servers

FLOWS: dict[str, dict[str, Any]] = {
    "rig-a": {"mode": "onReceived", "seconds": None},
    "rig-b": {},
    "rig-b-all": {"items": lambda _: [{"i": 1}, {"i": 2}, {"i": 3}], "response_data": "allEntries"},
    "rig-b-code": {"items": lambda _: [{"sum": 3}]},
    "rig-b-empty": {"items": lambda _: []},
    "rig-b-nodata": {"response_data": "noData"},
    "rig-get": {
        "method": "GET",
        "items": lambda run: [{"executionId": str(run.id), "query": run.trigger["query"]}],
    },
    "rig-c": {
        "mode": "responseNode",
        "respond": (202, {"x-rig": "8"}, {"ok": True, "executionId": "8", "in": BODY}),
    },
    "rig-c-branch": {"mode": "responseNode", "respond": None},
    "rig-c-none": {"mode": "responseNode", "has_respond_node": False},
    "rig-corr": {"mode": "onReceived", "response_text": '{"executionId": "{id}"}'},
    "rig-corr-last": {},
    "rig-d-code": {"fails": "rig code boom [line 1]"},
    "rig-d-http": {"fails": "The service was not able to process your request"},
    "rig-d-stop": {"fails": "rig stop: bad thing"},
    "rig-d-now": {"mode": "onReceived", "fails": "rig stop: bad thing"},
    "rig-d-resp": {"mode": "responseNode", "fails": "rig stop: bad thing"},
    "rig-e": {"auth": ("headerAuth", "X-Rig-Token", "rig-header-s3cret")},
    "rig-f": {"is_active": False},
    "rig-g": {"mode": "onReceived"},
    "rig-i": {"mode": "onReceived", "seconds": None},
    "rig-i-last": {"seconds": 0.02},
    "rig-i-70": {"mode": "onReceived", "wait_seconds": 70.0},
    "rig-k": {"mode": "onReceived", "wait_seconds": None},
    "rig-l": {"webhook_id": ""},
    "rig-n": {
        "mode": "onReceived",
        "custom_data": {"runId": "my-run-42"},
        "last_node": ("Exec Data", "executionData"),
        "items": lambda run: [run.trigger],
    },
    "rig-p/:pid/x": {
        "webhook_id": "5df0a263-b2e1-576f-970d-28522d928651",
        "items": lambda run: [{"executionId": str(run.id), "params": run.trigger["params"]}],
    },
    "rig-two-a": {},
    "rig-two-b": {},
}

# Recordings that are not replayed, and why.
NOT_REPLAYED = {
    "apikey_create_ui": "keys are made in the user interface, with a session of its own",
    "callback_received": "what n8n sent, not what it answered: tests/providers/test_n8n_on_recordings.py reads it",
    "correlation_demo": "counts of what was found in which list: tests/providers/test_n8n_on_recordings.py reads it",
    "credentials_list": "Orchestrator does not read the credentials in n8n",
    "webhook_big_17MB": "no answer: the recorder lost the connection while it was sending",
    "workflows_create_bad": "Orchestrator does not change workflows",
    "execution_after_resume": "the Wait node's item is the resuming request, which the fake does not record",
    "execution_error_d_code": "error object of a Code node; the adapter reads only its message and node",
    "execution_error_d_http": "error object of an HTTP node; the adapter reads only its message and node",
    "workflows_activate_again": "Orchestrator does not change workflows",
    "workflows_activate_no_trigger": "Orchestrator does not change workflows",
    "workflows_archive": "Orchestrator does not change workflows",
    "workflows_deactivate": "Orchestrator does not change workflows",
    "workflows_unarchive": "Orchestrator does not change workflows",
}
NOT_REPLAYED_1 = {
    "execution_waiting": "asks for an execution whose id the recorder did not know",
    "execution_stop_waiting": "asks for an execution whose id the recorder did not know",
    "execution_retry": "error object of a Code node",
    "webhook_i_slow_last_stopped": "the execution was not stopped, as this release cannot",
}
NOT_REPLAYED_2 = {
    "api_discover": "much more than permissions: tests/providers/test_n8n_on_recordings.py reads it",
    "execution_retry": "error object of a Code node",
}


@dataclass
class Rig:
    """A fake in which the recorded servers' workflows are set up, under their recorded ids."""

    n8n: FakeN8n
    flows: dict[str, FakeWorkflow]
    request: dict[str, Any]

    def run(self, path: str, number: int, **state: Any) -> FakeExecution:
        """An execution by that id, in the wanted state."""
        self.n8n.next_id = number
        trigger = {
            "headers": {"host": "x", "x-run-id": "run"},
            "params": {},
            "query": {},
            "body": BODY,
            "webhookUrl": self.flows[path].url,
            "executionMode": "production",
        }
        run = self.n8n.start(self.flows[path], trigger)
        for name, value in state.items():
            setattr(run, name, value)
        return run

    @property
    def number(self) -> int:
        """The execution id in the recorded address."""
        found = re.search(r"/executions/(\d+)", self.request["url"])
        return int(found[1]) if found else 0


Prelude = Callable[[Rig], object]


def finished(path: str) -> Prelude:
    def prepare(rig: Rig) -> None:
        run = rig.run(path, rig.number)
        run.ran_at = run.created_at

    return prepare


def unfinished(path: str) -> Prelude:
    return lambda rig: rig.run(path, rig.number, ran_at=None)


def cancelled(path: str) -> Prelude:
    return lambda rig: rig.run(path, rig.number, ran_at=None, cancelled_at=1)


def history(rig: Rig) -> None:
    """The ended executions of the recorded server: the newest release made one more."""
    newest = 35 + rig.n8n.release
    for number in range(1, newest + 1):
        is_echo = number in {2, newest - 13, newest - 12}
        rig.run("rig-d-stop" if 11 <= number <= 15 else "rig-b" if is_echo else "rig-b-code", number)


def waits(rig: Rig) -> FakeExecution:
    return rig.run("rig-k", 41 + rig.n8n.release)


def resumed(rig: Rig) -> None:
    waits(rig).resumed_at = 1


def stopped_meanwhile(rig: Rig) -> None:
    """The next execution is stopped while its caller waits."""
    start = rig.n8n.start

    def start_and_stop(flow: FakeWorkflow, trigger: dict[str, Any], **settings: Any) -> FakeExecution:
        run = start(flow, trigger, **settings)
        run.cancelled_at = run.created_at
        return run

    rig.n8n.start = start_and_stop


def after_retry(rig: Rig) -> None:
    rig.run("rig-d-code", 12)
    rig.run("rig-d-code", 44, mode="retry", retry_of=12)


def many(rig: Rig) -> None:
    """As many workflows as the recorded servers had; in the order of their ids the dummies come first."""
    for index in range(11):
        rig.n8n.add_workflow("RIG b last node echo" if index == 0 else f"RIG b {index}", id=f"z{index:015}")
    rig.n8n.add_workflow("RIG f inactive", is_active=False, is_archived=True, id=f"z{11:015}")
    manual = {"id": "m", "name": "Manual", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1}
    node = {"id": "s", "name": "Set", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [220, 0]}
    nodes = [{**manual, "position": [0, 0], "parameters": {}}, {**node, "parameters": {}}]
    links = {"Manual": {"main": [[{"node": "Set", "type": "main", "index": 0}]]}}
    for index in range(LISTED - 12):
        rig.n8n.add_workflow(
            f"DUMMY {index}", is_active=False, id=f"0{index:015}", own_nodes=nodes, own_connections=links
        )


def few_scopes(rig: Rig) -> None:
    rig.n8n.keys[rig.n8n.key] = {"workflow:list"}


def no_key(rig: Rig) -> None:
    rig.n8n.keys.clear()


PRELUDES: dict[str, Prelude] = {
    "apikey_deleted": no_key,
    "apikey_expired": no_key,
    "apikey_few_scopes_403": few_scopes,
    "apikey_few_scopes_403_get": few_scopes,
    "apikey_few_scopes_ok": few_scopes,
    "execution_after_client_disconnect": unfinished("rig-i"),
    "execution_after_client_disconnect_end": finished("rig-b"),
    "execution_after_retry": after_retry,
    "execution_after_stop": lambda rig: (cancelled if rig.n8n.release == 2 else unfinished)("rig-i")(rig),
    "execution_custom_data": lambda rig: rig.run("rig-n", rig.number).trigger.update(
        body={"runId": "my-run-42"}
    ),
    "execution_delete": finished("rig-b"),
    "execution_error_d_resp": finished("rig-d-resp"),
    "execution_error_d_stop": finished("rig-d-stop"),
    "execution_error_nodata": finished("rig-d-stop"),
    "execution_get": finished("rig-b"),
    "execution_get_data": finished("rig-b"),
    "execution_retry_success": finished("rig-b"),
    "execution_running": unfinished("rig-i"),
    "execution_running_wait3": unfinished("rig-a"),
    "execution_stop": unfinished("rig-i"),
    "execution_stop_again": cancelled("rig-i"),
    "execution_stop_finished": finished("rig-b"),
    "execution_stop_lastnode": unfinished("rig-i-last"),
    "execution_stop_waiting": finished("rig-i-70"),
    "execution_waiting": finished("rig-i-70"),
    "execution_waiting_webhook": finished("rig-k"),
    "executions_list": history,
    "executions_list_page1": history,
    "executions_list_page2": history,
    "executions_list_status_canceled": history,
    "executions_list_status_error": history,
    "executions_list_status_running": history,
    "executions_list_status_success": history,
    "executions_list_status_waiting": history,
    "executions_list_status_running_now": lambda rig: rig.run("rig-i", 38),
    "executions_list_wf": history,
    "executions_list_wf_data": history,
    "executions_list_wf_running": lambda rig: rig.run("rig-a", 1),
    "executions_list_wf_while_running": lambda rig: rig.run("rig-a", 1),
    "executions_stop_many": lambda rig: rig.run("rig-i-70", 41),
    "resume_call": waits,
    "resume_call_again": resumed,
    "resume_no_signature": resumed,
    "webhook_i_slow_last_stopped": stopped_meanwhile,
}


@cache
def flow_ids(release: int) -> dict[str, str]:
    """The recorded ids of the workflows, by path of their webhook."""
    found: dict[str, str] = {}
    for name in names(f"n8n-{release}"):
        body = recording(f"n8n-{release}", name).get("response", {}).get("body")
        rows: list[Any] = (
            body["data"] if isinstance(body, dict) and isinstance(body.get("data"), list) else [body]
        )
        for row in rows:
            flow = row.get("workflowData", row) if isinstance(row, dict) else {}
            for node in flow.get("nodes") or []:
                if "path" in node["parameters"]:
                    found[node["parameters"]["path"]] = flow["id"]
    return found


def set_up(n8n: FakeN8n, request: dict[str, Any]) -> Rig:
    rig = Rig(n8n, {}, request)
    for path, settings in FLOWS.items():
        known = flow_ids(n8n.release).get(path)
        rig.flows[path] = n8n.add_workflow(
            f"RIG {path}", path=path, **settings, **({"id": known} if known else {})
        )
    # In the recordings of the lists, a workflow that is asked for by id may be another one.
    asked = re.search(r"/workflows/(\w{16})", request["url"])
    if asked and asked[1] not in n8n.workflows:
        n8n.add_workflow("Asked for", id=asked[1], is_active=False)
    return rig


def replay(rig: Rig) -> tuple[int, dict[str, str], Any]:
    """Send the recorded request to the fake."""
    n8n = rig.n8n
    places = {"<base>": n8n.base, "<api key>": n8n.key, "<api key, a JWT>": n8n.key}
    if n8n.executions:
        places["<signature>"] = resume_url(n8n, next(iter(n8n.executions.values()))).partition("signature=")[
            2
        ]
    return send(rig.request, places)


def not_replayed(release: int) -> dict[str, str]:
    return NOT_REPLAYED | (NOT_REPLAYED_2 if release == 2 else NOT_REPLAYED_1)


def cases() -> list[tuple[int, str]]:
    return [
        (release, name)
        for release in (2, 1)
        for name in names(f"n8n-{release}")
        if name not in not_replayed(release)
    ]


@pytest.fixture(scope="module")
def server():
    with FakeServer() as fake:
        yield fake


@pytest.mark.parametrize(("release", "name"), cases())
def test_the_fake_answers_as_the_recorded_server(server: FakeServer, release: int, name: str):
    recorded = recording(f"n8n-{release}", name)
    n8n = FakeN8n(server, release)
    if release == 2:
        server.n8n2 = n8n
    else:
        server.n8n1 = n8n
    is_list_of_workflows = name.startswith(("workflows_list", "apikey"))
    if is_list_of_workflows:
        rig = Rig(n8n, {}, recorded["request"])
        many(rig)
        asked = re.search(r"/workflows/(\w{16})", recorded["request"]["url"])
        if asked:
            n8n.add_workflow("Asked for", id=asked[1])
    else:
        rig = set_up(n8n, recorded["request"])
    if prelude := PRELUDES.get(name):
        prelude(rig)
    wanted = recorded["response"]

    status, headers, body = replay(rig)

    assert status == wanted["status"], body
    for kind in ("content-type", "www-authenticate"):
        assert headers.get(kind, "").partition(";")[0] == wanted["headers"].get(kind, "").partition(";")[0]
    if status < 500:
        is_sandboxed = "content-security-policy" in headers
        assert is_sandboxed == ("content-security-policy" in wanted["headers"])
    expected = wanted["body"]
    if recorded.get("trimmed") and isinstance(expected, dict) and "data" in expected:
        expected, body = _trim(expected, body)
    if status >= 400:
        assert body == expected
    else:
        assert differences(expected, body) == []
        if isinstance(body, dict) and "nextCursor" in body:
            assert body["nextCursor"] == expected["nextCursor"]


def _trim(recorded: dict[str, Any], seen: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recorder left out rows and, of each row, the graph; the number of rows stands in the last entry."""
    *rows, last = recorded["data"]
    assert len(seen["data"]) == int(re.findall(r"\d+", last)[0])
    left_out = {"nodes", "connections", "shared", "activeVersion"}
    trimmed = [{key: value for key, value in row.items() if key not in left_out} for row in seen["data"]]
    return recorded | {"data": rows}, seen | {"data": trimmed}


def test_every_reason_for_not_replaying_names_a_recording():
    for release in (2, 1):
        assert not_replayed(release).keys() <= set(names(f"n8n-{release}"))
        assert all(not_replayed(release).values())
    assert PRELUDES.keys() <= set(names("n8n-2"))
