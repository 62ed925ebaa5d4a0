"""Plain calls to compare with: what a run calls, called by the program's own HTTP client and nothing around it.

They are made in a process of its own, as runs are. It reads one order per line, and answers each with one line.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from subprocess import Popen

from bench.load import Stretch, Work, measure
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.security.network import NetworkGuard

_OK = 200


class PlainCalls:
    """The process as the benchmark sees it."""

    def __init__(self, process: Popen[str]) -> None:
        self._process = process

    def measure(self, urls: Sequence[str], body: object, *, at_once: int, seconds: float) -> Stretch:
        """Call the addresses one after the other, again and again, from so many callers at once."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("The process of the plain calls must be started with pipes.")
        stdin.write(json.dumps({"urls": urls, "body": body, "at_once": at_once, "seconds": seconds}) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("The process of the plain calls has ended; its error stands above.")
        return Stretch(**json.loads(line))


async def serve() -> None:
    """Carry out orders until standard input ends."""
    loop = asyncio.get_running_loop()
    client = HttpClient(NetworkGuard((), allow_local=True, own_port=None))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        work = _calls(client, order["urls"], json.dumps(order["body"]).encode())
        stretch = await measure([work] * order["at_once"], order["seconds"], time.process_time)
        print(json.dumps(asdict(stretch)), flush=True)
    await client.close()


def _calls(client: HttpClient, urls: Sequence[str], body: bytes) -> Work:
    headers = {"Content-Type": "application/json"}

    async def work() -> None:
        for url in urls:
            answer = await client.request("POST", url, headers=headers, content=body)
            if answer.status != _OK or answer.content != body:
                raise RuntimeError(f"{url} answered {answer.status}.")

    return work


if __name__ == "__main__":
    asyncio.run(serve())
