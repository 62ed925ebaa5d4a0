"""Finds the addresses of a host name, and gives out only those that the network guard allows."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from aiohttp.abc import AbstractResolver, ResolveResult

from orchestrator_app.errors import AddressNotAllowed

LOOKUP_SECONDS = 5.0
_THREADS = 8


class NetworkGuard(Protocol):
    """Says which addresses may be called; both raise ``AddressNotAllowed``."""

    def check_url(self, url: str) -> None:
        """Check the address as it is written."""
        ...

    def check_address(self, ip: str, port: int, host: str) -> None:
        """Check the address that a host name stands for, right before connecting to it."""
        ...


Lookup = Callable[[str, int], Awaitable[Sequence[str]]]


class SystemLookup:
    """Name look-ups by the operating system, in threads of their own: a slow name server must not hold up the rest."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="name-lookup")

    async def __call__(self, host: str, port: int) -> list[str]:
        """All addresses of the host.

        Raises:
            OSError: The name is unknown, or no name server answered in time.
        """
        loop = asyncio.get_running_loop()
        lookup = loop.run_in_executor(self._threads, _addresses, host, port)
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await lookup

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"not a host name: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedResolver(AbstractResolver):
    """Gives out only addresses that the guard allows, so one name cannot stand for a public and a private one."""

    def __init__(self, guard: NetworkGuard, lookup: Lookup) -> None:
        self._guard = guard
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The allowed addresses of the host; aiohttp calls this for each new connection to a name."""
        refusal: AddressNotAllowed | None = None
        allowed: list[ResolveResult] = []
        for ip in await self._lookup(host, port):
            try:
                self._guard.check_address(ip, port, host)
            except AddressNotAllowed as error:
                refusal = error
                continue
            allowed.append(ResolveResult(hostname=host, host=ip, port=port, family=family, proto=0, flags=0))
        if not allowed:
            raise refusal or OSError(f"no address is known for {host}")
        return allowed

    async def close(self) -> None:
        """Nothing to close: the look-up belongs to the transport."""
