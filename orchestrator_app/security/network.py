"""Which addresses may be called: an own table, because the lists of the standard library let too much through."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from orchestrator_app.errors import AddressNotAllowed, ConfigurationError

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_LENGTH = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535
_MAX_HOST_LENGTH = 253
_MAX_REMEMBERED = 1000


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# No setting opens these: they are of no use to a call, or hand out the keys of the machine in a cloud.
_NEVER = _networks(
    "0.0.0.0/8",  # "this host": many systems connect to themselves
    "169.254.0.0/16",  # link-local, where clouds keep their metadata
    "100.100.100.200/32",  # metadata (Alibaba)
    "168.63.129.16/32",  # metadata (Azure)
    "192.0.0.192/32",  # metadata (Oracle)
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
    "::/128",
    "fe80::/10",  # link-local
    "ff00::/8",  # multicast
    "fd00:ec2::254/128",  # metadata (AWS)
    "fd20:ce::254/128",  # metadata (Google)
)
_NOT_PUBLIC_V4 = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",  # provider networks
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = _networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
_LOCAL = _networks("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
# Ways to write an IPv4 address into an IPv6 one, with the number of bits that follow it.
_WRAPPINGS = (
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
_TEREDO = ipaddress.IPv6Network("2001::/32")

# After normalising, nothing is left that two programs could read differently: no user name, no escapes in the host,
# no backslash, printable ASCII only.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PLAIN_URL = re.compile(
    rf"(?P<scheme>https?)://(?:(?P<name>(?:{_LABEL}\.)*{_LABEL}\.?)|\[(?P<ip>[0-9A-Fa-f:.]+)\])(?::(?P<port>\d{{1,5}}))?"
    r"(?:[/?][!-\[\]-~]*)?"
)
_UNWANTED = re.compile(r"[\x00-\x20\x7f-\x9f\\\s\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_LOOKS_NUMERIC = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9A-Fa-f]*)\.?")
_ENTRY = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<any>[^\]\[]+?))(?::(?P<port>\d{1,5}))?")

_ADD_HINT = (
    "If it is meant to be called, add it to ORCHESTRATOR_NETWORK_ALLOW, as a network such as 10.0.0.0/24 or with a port "
    "such as 10.0.0.5/32:5678."
)


@dataclass(frozen=True, slots=True)
class _Allowed:
    network: _Network
    port: int | None


class NetworkGuard:
    """Refuses addresses that calls must not reach; a host name never stands in for the check of its address."""

    def __init__(self, allow: Sequence[str] = (), *, allow_local: bool, own_port: int | None) -> None:
        """Make a guard.

        Args:
            allow: What may be reached besides public addresses, each ``CIDR`` or ``CIDR:port``.
            allow_local: This machine and private networks may be reached. Right only while nobody else can use the
                program, that is, while it listens on loopback.
            own_port: Where the program itself listens; never called.

        Raises:
            ConfigurationError: An entry cannot be read.
        """
        self._allow_local = allow_local
        self._own_port = own_port
        entries = [_read_entry(text) for text in allow]
        problems = [entry for entry in entries if isinstance(entry, str)]
        if problems:
            raise ConfigurationError(problems)
        self._allowed = [entry for entry in entries if isinstance(entry, _Allowed)]
        self._good_numbers: set[tuple[str, int]] = set()

    def check_url(self, url: str) -> None:
        """Check how the address is written, and, where its host is a number, the number.

        Raises:
            AddressNotAllowed: Not a plain http or https address, or one that may not be called.
        """
        if len(url) > MAX_URL_LENGTH:
            raise AddressNotAllowed(
                f"The address is longer than {MAX_URL_LENGTH} characters.", hint="Shorten it."
            )
        if _UNWANTED.search(url):
            raise AddressNotAllowed(
                "The address has a space, a line break, a backslash or an invisible character in it.",
                hint="Write it like https://host/path, with %20 for a space.",
            )
        match = _PLAIN_URL.fullmatch(url) or _PLAIN_URL.fullmatch(_normalised(url))
        if match is None:
            raise AddressNotAllowed(
                "That is no plain web address.",
                hint="Write it like https://host/path, without user name and password.",
            )
        port = int(match["port"]) if match["port"] is not None else _DEFAULT_PORTS[match["scheme"]]
        if not 0 < port <= _MAX_PORT:
            raise AddressNotAllowed(
                "The port of the address is not between 1 and 65535.", hint="Correct the port."
            )
        host = match["ip"] or match["name"]
        if len(host) > _MAX_HOST_LENGTH:
            raise AddressNotAllowed(
                "The host name is longer than 253 characters.", hint="Correct the address."
            )
        if match["ip"] or _LOOKS_NUMERIC.fullmatch(host):
            self._check_number(host, port, is_v6=bool(match["ip"]))

    def _check_number(self, host: str, port: int, *, is_v6: bool) -> None:
        if (host, port) in self._good_numbers:  # every call comes by here, and they go to few places
            return
        try:
            address = ipaddress.IPv6Address(host) if is_v6 else ipaddress.IPv4Address(host)
        except ValueError as error:
            raise AddressNotAllowed(
                f"{host} is no IP address in its usual form.",
                hint="Write it like 192.0.2.1 or [2001:db8::1].",
            ) from error
        self.check_address(str(address), port, host)
        if len(self._good_numbers) < _MAX_REMEMBERED:
            self._good_numbers.add((host, port))

    def check_address(self, ip: str, port: int, host: str) -> None:
        """Check an address right before connecting to it.

        Args:
            ip: The IP address.
            port: The port.
            host: What the user wrote, for the sentence: the address itself is not told, it would map the network.

        Raises:
            AddressNotAllowed: It may not be called.
        """
        try:
            address = _plain(ipaddress.ip_address(ip.partition("%")[0]))
        except ValueError as error:
            raise AddressNotAllowed(
                f"The address of {host} cannot be read.", hint="Write it like https://host/path."
            ) from error
        if any(_is_in(candidate, _NEVER) for candidate in (address, *_wrapped(address))):
            raise AddressNotAllowed(
                f"The address of {host} belongs to a range that is never called.",
                hint="It is reserved, or serves the machine itself. ORCHESTRATOR_NETWORK_ALLOW cannot open it.",
            )
        if port == self._own_port and _is_this_machine(address):
            raise AddressNotAllowed(
                f"{host} at port {port} is Orchestrator itself, which does not call itself.",
                hint="An orchestrator cannot call this program itself. ORCHESTRATOR_NETWORK_ALLOW cannot open it.",
            )
        if not (_is_public(address) or self._is_let_in(address, port)):
            raise AddressNotAllowed(f"The address of {host} is not a public one.", hint=_ADD_HINT)

    def _is_let_in(self, address: _Address, port: int) -> bool:
        if self._allow_local and _is_in(address, _LOCAL):
            return True
        return any(entry.port in {None, port} and address in entry.network for entry in self._allowed)


def _read_entry(text: str) -> "_Allowed | str":
    """An entry of the allow-list, or a sentence about what is wrong with it."""
    told = f"ORCHESTRATOR_NETWORK_ALLOW: {text!r}"
    try:
        # A plain IPv6 address or network: its colons are no port. With a port it needs brackets: [fd00::1]:5678.
        return _Allowed(ipaddress.ip_network(text.strip()), None)
    except ValueError as error:
        match = _ENTRY.fullmatch(text.strip())
        if match is None:
            return f"{told} is no network such as 10.0.0.0/24 or 10.0.0.5/32:5678."
        if "has host bits set" in str(error):
            return f"{told} is an address inside of a network. Write the network itself, or the address with /32."
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port <= _MAX_PORT:
        return f"{told} has a port that is not between 1 and 65535."
    try:
        return _Allowed(ipaddress.ip_network(match["v6"] or match["any"]), port)
    except ValueError:
        return f"{told} is no network such as 10.0.0.0/24 or 10.0.0.5/32:5678."


def _normalised(url: str) -> str:
    """The address as the client sends it: the host in ASCII, the path with escapes, no fragment."""
    try:
        parsed = httpx.URL(url)
        if not parsed.host:
            return ""
        return str(parsed.copy_with(fragment=None) if parsed.fragment else parsed)
    except (httpx.InvalidURL, ValueError):
        return ""


def _plain(address: _Address) -> _Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _wrapped(address: _Address) -> list[ipaddress.IPv4Address]:
    """IPv4 addresses that a gateway may unpack from this address."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return []
    number = int(address)
    found = [
        ipaddress.IPv4Address((number >> shift) & 0xFFFFFFFF)
        for network, shift in _WRAPPINGS
        if address in network
    ]
    if address in _TEREDO:
        found += [
            ipaddress.IPv4Address((number >> 64) & 0xFFFFFFFF),
            ipaddress.IPv4Address(~number & 0xFFFFFFFF),
        ]
    return found


def _is_in(address: _Address, networks: tuple[_Network, ...]) -> bool:
    return any(address in network for network in networks)


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not _is_in(address, _NOT_PUBLIC_V4)
    return address in _PUBLIC_V6 and not _is_in(address, _NOT_PUBLIC_V6)


def _is_this_machine(address: _Address) -> bool:
    """Whether the address is one of this machine's own: only those can be bound."""
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  # the IP version
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
