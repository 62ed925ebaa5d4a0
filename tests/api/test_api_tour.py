"""The commands of docs/api-tour.md do what stands below them."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.server import FakeServer
from tests.processes import ROOT, free_port, surroundings

TOUR = ROOT / "docs" / "api-tour.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "-- end of block --"
STOPS_WITHIN_SECONDS = 30


def steps() -> list[tuple[str, str]]:
    """Each block of commands with what it is said to print."""
    blocks = BLOCK.findall(TOUR.read_text(encoding="utf-8"))
    kinds = [kind for kind, _text in blocks]
    assert kinds == ["bash", "text"] * (len(kinds) // 2)
    return [(blocks[number][1], blocks[number + 1][1]) for number in range(0, len(blocks), 2)]


def pattern(expected: str) -> str:
    """What stands in the docs, in which … stands for anything."""
    return ".*?".join(re.escape(part) for part in expected.strip().split("…"))


@contextmanager
def served(data_dir: Path) -> Iterator[str]:
    """The address of a server of its own."""
    port = free_port()
    environment = surroundings(
        ORCHESTRATOR_PORT=str(port), ORCHESTRATOR_DATA_DIR=str(data_dir), PYTHONPATH=str(ROOT)
    )
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("api_process.py")],
        cwd=data_dir,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield f"http://127.0.0.1:{port}"
        finally:  # whoever waits for a process that nobody ends waits forever
            process.terminate()
        assert process.wait(STOPS_WITHIN_SECONDS) == 0


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="the tour needs bash and curl"
)
def test_the_commands_of_the_tour_print_what_it_says(tmp_path: Path, fake_server: FakeServer):
    fake_server.n8n2.add_workflow("Order intake", mode="lastNode")
    places = {
        "http://127.0.0.1:5678": fake_server.n8n2.base,
        "your-n8n-api-key": fake_server.n8n2.key,
    }
    expected = [text for _commands, text in steps()]
    script = "".join(f"{commands}\necho '{END}'\n" for commands, _text in steps())
    with served(tmp_path) as url:
        places["http://127.0.0.1:8000"] = url
        for standing, real in places.items():
            assert standing in script
            script = script.replace(standing, real)
            expected = [text.replace(standing, real) for text in expected]
        ran = subprocess.run(
            ["bash", "-euo", "pipefail"],
            input=script,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = [part.strip() for part in ran.stdout.split(END)]
    for said, seen in zip(expected, printed, strict=False):
        assert re.fullmatch(pattern(said), seen, flags=re.DOTALL), f"said:\n{said}\nprinted:\n{seen}"
    assert len(printed) == len(expected) + 1
    assert len(fake_server.calls("/n8n-2/webhook/order-intake", method="POST")) == 1
