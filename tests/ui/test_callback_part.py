"""How a callback is called for, and what is shown of it after it came."""

import subprocess
import time
from pathlib import Path
from typing import Any

from orchestrator_app.security.signatures import Message, is_signed, new_signing_secret
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.views import CallbackView
from orchestrator_app.ui.components.callback_texts import NOTHING, callback_texts
from orchestrator_app.ui.pages.run.state import RunPageState
from tests.builders import a_definition, a_node
from tests.ui.tabs import Tab, Tabs

WAIT = a_definition([a_node("wait", "WaitForCallback", {"timeout": 60_000})])
URL = "https://flows.example/callback/run-1?token=cb_abc-_1"


async def opened(tabs: Tabs) -> tuple[Tab, str, str]:
    detail = await tabs.application.orchestrators.create(HERE, name="Orders", definition=WAIT.as_json())
    summary, _ = await tabs.application.runs.start(HERE, detail.id, {}, trigger="api")
    tab = await tabs.open(f"/run/{summary.id}")
    await tab.until(lambda: shown(tab, "state") == "WAITING")
    await tab.send(RunPageState.select, "wait")
    return tab, summary.id, detail.id


def shown(tab: Tab, name: str) -> Any:
    return tab.shows(RunPageState, name)


async def test_a_waiting_node_shows_how_long_it_waits_and_afterwards_what_arrived(tabs: Tabs):
    tab, run_id, _ = await opened(tabs)
    callback = shown(tab, "node_callback")
    assert f"{callback['address']}?token={callback['token']}" == shown(tab, "node_callback_url")
    assert callback["until"] - 60_000 <= time.time() * 1000
    assert callback["since"] <= callback["until"]
    assert (callback["arrived"], shown(tab, "node_callback_body")) == (0, "")
    await tabs.application.callbacks.receive(run_id, callback["token"], {"ok": True})
    await tab.until(lambda: shown(tab, "state") == "COMPLETED")
    after = shown(tab, "node_callback")
    assert after["arrived"] >= callback["since"]
    assert shown(tab, "node_callback_body") == '{\n  "ok": true\n}'
    # What cannot be used any more is not shown any more.
    assert (after["address"], after["token"], after["curl"]) == ("", "", "")
    await tab.send(RunPageState.select, "")
    assert shown(tab, "node_callback") == NOTHING


async def test_a_callback_that_must_be_signed_says_so(tabs: Tabs):
    tab, _, orchestrator_id = await opened(tabs)
    assert not shown(tab, "node_callback")["must_be_signed"]
    secret = await tabs.application.orchestrator_settings.make_secret(HERE, orchestrator_id)
    await tab.send(RunPageState.select, "wait")
    callback = shown(tab, "node_callback")
    assert callback["must_be_signed"]
    assert "webhook-signature" in callback["curl"]
    assert secret not in str(tab.vars)


def sent_by(command: str, folder: Path) -> list[str]:
    """What curl is told when a shell carries out the command."""
    curl = folder / "curl"
    curl.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n', encoding="utf-8")
    curl.chmod(0o755)
    result = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        check=True,
        text=True,
    )
    return result.stdout.split("\0")[:-1]


def headers_of(words: list[str]) -> dict[str, str]:
    pairs = [words[place + 1].partition(": ") for place, word in enumerate(words) if word == "-H"]
    return {name: value for name, _, value in pairs}


def test_the_command_line_carries_the_token_in_a_header(tmp_path: Path):
    words = sent_by(callback_texts(CallbackView(URL, 1))["curl"], tmp_path)
    assert "https://flows.example/callback/run-1" in words
    assert headers_of(words)["Authorization"] == "Bearer cb_abc-_1"
    assert words[words.index("-d") + 1] == "{}"


def test_the_signed_command_line_signs_as_the_server_checks_it(tmp_path: Path):
    secret = new_signing_secret()
    command = callback_texts(CallbackView(URL, 1, must_be_signed=True))["curl"].replace("whsec_…", secret)
    words = sent_by(command, tmp_path)
    headers = headers_of(words)
    message = Message(
        headers["webhook-id"],
        headers["webhook-timestamp"],
        headers["webhook-signature"],
        words[words.index("-d") + 1].encode(),
    )
    assert is_signed(secret, message, time.time())
    assert headers["Authorization"] == "Bearer cb_abc-_1"
