"""Plain calls to compare with: what a run calls, called by a lone HTTP client with nothing around it.

They are made in a process of its own, as runs are. It reads one order per line, and answers each with one line.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from subprocess import Popen

import aiohttp

from bench.load import Stretch, Work, measure
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.security.network import NetworkGuard

_HEADERS = {"Content-Type": "application/json"}

# Sends the body to the address, and gives that of the answer.
Call = Callable[[str, bytes], Awaitable[bytes]]


class PlainCalls:
    """The process as the benchmark sees it."""

    def __init__(self, process: Popen[str]) -> None:
        self._process = process

    def measure(
        self, urls: Sequence[str], body: object, *, at_once: int, seconds: float, client: str = "own"
    ) -> Stretch:
        """Call the addresses one after the other, again and again, from so many callers at once.

        The client is the program's own unless it is to be ``aiohttp``, on which that is built.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("The process of the plain calls must be started with pipes.")
        order = {"urls": urls, "body": body, "at_once": at_once, "seconds": seconds, "client": client}
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("The process of the plain calls has ended; its error stands above.")
        return Stretch(**json.loads(line))


async def serve() -> None:
    """Carry out orders until standard input ends."""
    loop = asyncio.get_running_loop()
    own_client = HttpClient(NetworkGuard((), allow_local=True, own_port=None))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        clients: dict[str, Call] = {
            "own": partial(_by_own_client, own_client),
            "aiohttp": partial(_by_aiohttp, session),
        }
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            work = _calls(clients[order["client"]], order["urls"], json.dumps(order["body"]).encode())
            stretch = await measure([work] * order["at_once"], order["seconds"], time.process_time)
            print(json.dumps(asdict(stretch)), flush=True)
    await own_client.close()


async def _by_own_client(client: HttpClient, url: str, body: bytes) -> bytes:
    return (await client.request("POST", url, headers=_HEADERS, content=body)).content


async def _by_aiohttp(session: aiohttp.ClientSession, url: str, body: bytes) -> bytes:
    async with session.post(url, data=body, headers=_HEADERS) as answer:
        return await answer.read()


def _calls(call: Call, urls: Sequence[str], body: bytes) -> Work:
    async def work() -> None:
        for url in urls:
            if await call(url, body) != body:
                raise RuntimeError(f"{url} did not send back what it was sent.")

    return work


if __name__ == "__main__":
    asyncio.run(serve())
