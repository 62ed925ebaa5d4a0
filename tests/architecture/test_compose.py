"""The example for containers says what the program says: its commands, its settings, its ports, its addresses."""

import re
from typing import Any

import pytest
import yaml

from orchestrator_app import server
from orchestrator_app.__main__ import main
from orchestrator_app.config import Settings
from orchestrator_app.wiring import CALLBACK_PATH, CLOSE_SECONDS, STOP_GRACE_SECONDS
from tests.architecture.sources import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROGRAMS = {name: service for name, service in SERVICES.items() if "build" in service}
PROXY: str = COMPOSE["configs"]["proxy"]["content"]
SECRETS = {
    "POSTGRES_PASSWORD": "secret",
    "ORCHESTRATOR_ENCRYPTION_KEY": "key",
    "ORCHESTRATOR_PUBLIC_URL": "https://flows.example.org",
}


def settings_of(service: dict[str, Any]) -> dict[str, str]:
    """What the service is told, with the secrets of ``.env`` filled in."""
    return {
        name: re.sub(r"\$\{(\w+):\?\}", lambda found: SECRETS[found[1]], str(value))
        for name, value in service["environment"].items()
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_setting_of_a_container_is_one_of_the_program_and_right(name: str):
    values = settings_of(PROGRAMS[name])
    known = {f"ORCHESTRATOR_{field.upper()}" for field in Settings.model_fields}
    assert set(values) <= known
    fields: dict[str, Any] = {
        key.removeprefix("ORCHESTRATOR_").lower(): value for key, value in values.items()
    }
    settings = Settings(**fields)
    assert (settings.workers, settings.base_url) == ("external", SECRETS["ORCHESTRATOR_PUBLIC_URL"])


def test_every_command_of_a_container_is_one_of_the_program(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.search(r"\{([\w,]+)\}", capsys.readouterr().out)
    assert commands is not None
    assert {service["command"] for service in PROGRAMS.values()} == {"serve", "worker"}
    assert {"serve", "worker", "build"} <= set(commands[1].split(","))


def test_the_image_is_built_by_what_is_there():
    words = next(iter(PROGRAMS.values()))["build"]["dockerfile_inline"]
    for path in re.findall(r"\S+\.py\b", words):
        assert (ROOT / path).is_file(), path
    assert re.search(r"FROM python:3\.(\d+)", words)


def test_the_proxy_passes_on_to_every_process_that_serves():
    ports = {
        settings_of(service)["ORCHESTRATOR_PORT"]
        for service in PROGRAMS.values()
        if service["command"] == "serve"
    }
    assert len(ports) == 2
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", PROXY)) == ports


def test_the_proxy_asks_everybody_for_a_login_but_callbacks():
    exempt = re.search(r"@people not path (.+)", PROXY)
    assert exempt is not None
    assert exempt[1].split() == [CALLBACK_PATH, f"{CALLBACK_PATH}/*"]


def test_everything_that_is_addressed_is_a_service():
    for service in PROGRAMS.values():
        values = settings_of(service)
        hosts = [
            re.sub(r".*@|.*//", "", values[name]).split(":")[0]
            for name in ("ORCHESTRATOR_DATABASE_URL", "ORCHESTRATOR_REDIS_URL")
        ]
        assert set(hosts) <= set(SERVICES)
        assert set(service["depends_on"]) == set(hosts)
    database = SERVICES["database"]["environment"]
    assert f"//{database['POSTGRES_USER']}:" in settings_of(PROGRAMS["worker"])["ORCHESTRATOR_DATABASE_URL"]


def test_a_container_is_not_killed_while_it_stops_in_order():
    longest = server.OPEN_REQUESTS_GRACE_SECONDS + STOP_GRACE_SECONDS + 4 * CLOSE_SECONDS
    for service in PROGRAMS.values():
        assert float(service["stop_grace_period"].removesuffix("s")) > longest
