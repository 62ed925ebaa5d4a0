"""The acceptance list of addresses that a call must never reach: each is called for real, beside a canary.

Every way is tried twice: with all checks, and with only the check at the moment of connecting, which has to hold alone.
"""

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from orchestrator_app.errors import AddressNotAllowed, ProviderError, ProviderRefused, ProviderUnavailable
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.name_lookup import GuardedResolver, Lookup
from orchestrator_app.security.network import NetworkGuard
from tests.providers.raw_server import USUAL_TRUST, RawServer, answer

NUMBERS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
    "0177.0x0.1", "127.000.000.001", "0", "00000000", "0.0.0.0", "127.255.255.254", "169.254.169.254",  # noqa: S104
    "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518",
    "169.254.170.2", "100.100.100.200", "100.64.0.1", "168.63.129.16", "192.0.0.192", "10.0.0.1",
    "167772161", "172.31.255.255", "192.168.257", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "4294967296",
]  # fmt: skip
SIXES = [
    "::1", "::", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::",
    "2001:0:a9fe:a9fe::", "fe80::1", "fe80::1%25lo", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "2001:db8::1", "100::1", "3fff::1", "5f00::1",
]  # fmt: skip
NAMES = [
    "localhost", "LOCALHOST", "localhost.", "ip6-localhost", "metadata.google.internal", "127.0.0.1.nip.io",
    "localtest.me", "spoofed.example", "cname.to.internal.example", "①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
]  # fmt: skip
TRICKS = [
    "http://evil.com@127.0.0.1:{port}/", "http://127.0.0.1:{port}@evil.com/", "http://evil.com#@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@evil.com/", "http://evil.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@evil.com:80/", "http://a:b@127.0.0.1:{port}@evil.com/",
    "http://evil.com%2f@127.0.0.1:{port}/", "http://evil.com?@127.0.0.1:{port}/", "http://evil.com;@127.0.0.1:{port}/",
    "http://127.0.0.1,evil.com:{port}/", "http://127.0.0.1%00.evil.com:{port}/", "http:///127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/", "://127.0.0.1:{port}/", "//127.0.0.1:{port}/", " http://127.0.0.1:{port}/", "http://127.0.0.1:{port}/ ",
    "http://127.0.0.1:{port}\t/", "http://127.0.0.1\t:{port}/", "ht\ntp://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: evil.com", "http://[127.0.0.1]:{port}/", "http://127.0.0.1:0/",
    "http://127.0.0.1:99999/", "http://127.0.0.1:-1/", "http://127.0.0.1:{port}x/", "http://127.0.0.1:/{port}",
    "http://[::1/", "http://::1:{port}/", "http://%31%32%37.0.0.1:{port}/",
    "http://127.0.0.1:{port}/" + "a" * 2048, "http://\u200b127.0.0.1:{port}/", "http://127.0.0.1\u3000:{port}/",
]  # fmt: skip
SCHEMES = [
    f"{scheme}://127.0.0.1:{{port}}/"
    for scheme in ("file", "gopher", "ftp", "dict", "ldap", "jar", "http+unix", "ws", "tcp", "unix", "HTTPX")
] + [
    "file:///etc/passwd",
    "data:text/plain,hello",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "javascript:1",
]

ADDRESSES = [
    *(f"http://{number}:{{port}}/" for number in NUMBERS),
    *(f"https://{number}:{{port}}/" for number in NUMBERS[:3]),
    *(f"http://[{six}]:{{port}}/" for six in SIXES),
    *(f"http://{name}:{{port}}/" for name in NAMES),
    *TRICKS,
    *SCHEMES,
]


@dataclass
class Canary:
    port: int
    servers: list[RawServer]

    @property
    def connections(self) -> int:
        return sum(server.connections for server in self.servers)


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    """Listens at one port of this machine, under both kinds of addresses."""
    async with RawServer(answer()) as four:
        try:
            six = RawServer(answer(), host="::1")
            six.port = four.port
            async with six:
                yield Canary(four.port, [four, six])
        except OSError:  # this machine has no IPv6, or the port is taken there
            yield Canary(four.port, [four])


@asynccontextmanager
async def calling(guard: NetworkGuard, lookup: Lookup) -> AsyncIterator[HttpClient]:
    client = HttpClient(guard, lookup=lookup, ssl_context=USUAL_TRUST)
    try:
        yield client
    finally:
        await client.close()


class OnlyWhenConnecting(NetworkGuard):
    """As if all checks of how an address is written had been passed."""

    def check_url(self, url: str) -> None:
        pass


async def all_lead_here(host: str, _port: int) -> list[str]:
    """A name server that the attacker runs; numbers in odd forms are read as the operating system reads them."""
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except (OSError, UnicodeError):
        return ["127.0.0.1", "::1"]


def test_the_list_is_complete() -> None:
    assert len(ADDRESSES) >= 120
    assert len(set(ADDRESSES)) == len(ADDRESSES)


@pytest.mark.parametrize(
    "guard_class", [NetworkGuard, OnlyWhenConnecting], ids=["all checks", "connecting alone"]
)
@pytest.mark.parametrize("address", ADDRESSES)
async def test_no_address_of_the_list_is_reached(
    canary: Canary, guard_class: type[NetworkGuard], address: str
) -> None:
    async with calling(guard_class(allow_local=False, own_port=None), all_lead_here) as client:
        with pytest.raises(ProviderError) as caught:
            await client.request(
                "GET", address.format(port=canary.port), timeout_seconds=10, is_safe_to_repeat=True
            )
    assert canary.connections == 0
    if guard_class is NetworkGuard:
        assert isinstance(caught.value, AddressNotAllowed)
    else:  # some are no address at all; what matters is that nobody was called
        assert isinstance(caught.value, AddressNotAllowed | ProviderRefused | ProviderUnavailable)


async def test_the_refusal_does_not_tell_which_address_a_name_has() -> None:
    async with calling(NetworkGuard(allow_local=False, own_port=None), _one("10.1.2.3")) as client:
        with pytest.raises(AddressNotAllowed) as caught:
            await client.request("GET", "http://inside.example/", provider="custom", operation="execute")
    assert caught.value.message == "The address of inside.example is not a public one."
    assert "10.1.2.3" not in caught.value.hint
    assert "ORCHESTRATOR_NETWORK_ALLOW" in caught.value.hint
    assert (caught.value.provider, caught.value.operation) == ("custom", "execute")


async def test_a_name_with_public_and_private_addresses_leads_to_the_public_ones_only() -> None:
    async def mixed(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1", "93.184.215.14", "::1", "10.0.0.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]

    resolver = GuardedResolver(NetworkGuard(allow_local=False, own_port=None), mixed)
    found = await resolver.resolve("mixed.example", 80)
    assert [entry["host"] for entry in found] == ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


async def test_a_name_that_changes_its_address_every_time_never_leads_inside() -> None:
    """Rebinding: the address that was checked is the one that is connected to, so there is no moment in between."""
    turns = itertools.cycle(["93.184.215.14", "127.0.0.1", "169.254.169.254"])
    guard = NetworkGuard(allow_local=False, own_port=None)

    async def rebinding(_host: str, _port: int) -> list[str]:
        return [next(turns)]

    resolver = GuardedResolver(guard, rebinding)
    refused = 0
    for _ in range(1000):
        try:
            found = await resolver.resolve("rebind.example", 80)
        except AddressNotAllowed:
            refused += 1
        else:
            assert [entry["host"] for entry in found] == ["93.184.215.14"]
    assert refused == 666


async def test_an_address_that_slips_through_the_look_up_is_stopped_at_the_socket(canary: Canary) -> None:
    class Forgetful(NetworkGuard):
        """Lets the first check of each address pass, as if the answer changed after it."""

        seen = 0

        def check_address(self, ip: str, port: int, host: str) -> None:
            self.seen += 1
            if self.seen > 1:
                super().check_address(ip, port, host)

    async with calling(Forgetful(allow_local=False, own_port=None), _one("127.0.0.1")) as client:
        with pytest.raises(AddressNotAllowed):
            await client.request("POST", f"http://changing.example:{canary.port}/", json={})
    assert canary.connections == 0


async def test_on_loopback_the_local_network_is_reached_but_not_the_program_itself(canary: Canary) -> None:
    async with calling(NetworkGuard(allow_local=True, own_port=None), _one("127.0.0.1")) as client:
        for host in ("127.0.0.1", "n8n", "localhost"):
            assert (await client.request("GET", f"http://{host}:{canary.port}/")).status == 200
    reached = canary.connections
    async with calling(NetworkGuard(allow_local=True, own_port=canary.port), _one("127.0.0.1")) as client:
        for host in ("127.0.0.1", "n8n", "[::1]", "[::ffff:127.0.0.1]"):
            with pytest.raises(AddressNotAllowed, match="Orchestrator itself"):
                await client.request("GET", f"http://{host}:{canary.port}/")
    assert canary.connections == reached


async def test_an_allowed_address_and_port_is_reached_and_its_neighbours_are_not(canary: Canary) -> None:
    guard = NetworkGuard([f"127.0.0.1/32:{canary.port}"], allow_local=False, own_port=None)
    async with calling(guard, _one("127.0.0.1")) as client:
        assert (await client.request("GET", f"http://n8n:{canary.port}/")).status == 200
        for address in ("http://n8n:22/", f"http://127.0.0.2:{canary.port}/", f"http://[::1]:{canary.port}/"):
            with pytest.raises(AddressNotAllowed):
                await client.request("GET", address)


def _one(ip: str) -> Lookup:
    async def lookup(_host: str, _port: int) -> list[str]:
        return [ip]

    return lookup
