import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.errors import AddressNotAllowed, ConfigurationError
from orchestrator_app.security import network
from orchestrator_app.security.network import NetworkGuard

PUBLIC = NetworkGuard(allow_local=False, own_port=8000)
LOCAL = NetworkGuard(allow_local=True, own_port=8000)

# Addresses of well-known public services, and the ones next to the denied networks.
CONTROLS = [
    "8.8.8.8", "1.1.1.1", "9.9.9.9", "93.184.215.14", "151.101.1.140", "11.0.0.0", "9.255.255.255",
    "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0",
    "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "223.255.255.255", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001:80b::200e",
    "2620:fe::fe",
]  # fmt: skip
DENIED = [
    "0.0.0.0", "0.255.255.255", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",  # noqa: S104
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1",
    "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200", "192.0.0.192",
    "::", "::1", "::ffff:8.8.8.8.invalid", "::ffff:127.0.0.1", "::127.0.0.1", "::8.8.8.8",
    "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2001:1ff::1",
    "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "100.100.100.200",  # noqa: S104
    "168.63.129.16", "192.0.0.192", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "::",
    "ff02::1", "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "::169.254.169.254",
    "::ffff:0:169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b:1::169.254.169.254",
    "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::", "2001::5601:5601",
]  # fmt: skip


def _is_allowed(guard: NetworkGuard, ip: str, port: int = 443) -> bool:
    try:
        guard.check_address(ip, port, "host.example")
    except AddressNotAllowed:
        return False
    return True


@pytest.mark.parametrize("ip", CONTROLS)
def test_public_addresses_are_allowed(ip: str) -> None:
    assert _is_allowed(PUBLIC, ip)
    assert _is_allowed(LOCAL, ip)


@pytest.mark.parametrize("ip", DENIED)
def test_everything_else_is_denied(ip: str) -> None:
    assert not _is_allowed(PUBLIC, ip)


@pytest.mark.parametrize("ip", NEVER)
def test_some_addresses_stay_denied_whatever_is_set(ip: str) -> None:
    everything = NetworkGuard(
        ["0.0.0.0/0", "::/0", "169.254.0.0/16", "fe80::/10"], allow_local=True, own_port=None
    )
    with pytest.raises(AddressNotAllowed, match="range that is never called") as caught:
        everything.check_address(ip, 80, "host.example")
    assert "ORCHESTRATOR_NETWORK_ALLOW cannot open it" in caught.value.hint


@pytest.mark.parametrize(
    "ip",
    ["127.0.0.1", "127.8.8.8", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fd12::1", "::ffff:10.0.0.1"],
)
def test_on_loopback_this_machine_and_the_local_network_are_allowed(ip: str) -> None:
    assert _is_allowed(LOCAL, ip, 5678)


@pytest.mark.parametrize("ip", ["192.0.2.1", "100.64.0.1", "198.18.0.1", "2001:db8::1", "64:ff9b::8.8.8.8"])
def test_on_loopback_other_special_addresses_stay_denied(ip: str) -> None:
    assert not _is_allowed(LOCAL, ip)


@given(st.ip_addresses())
def test_whatever_is_allowed_is_public_in_the_eyes_of_the_standard_library_too(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if _is_allowed(PUBLIC, str(address)):
        address = getattr(address, "ipv4_mapped", None) or address
        assert address.is_global
        for name in ("is_multicast", "is_loopback", "is_link_local", "is_reserved"):
            assert not getattr(address, name)


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_the_program_never_calls_itself(ip: str) -> None:
    everything = NetworkGuard(["0.0.0.0/0", "::/0"], allow_local=True, own_port=8000)
    with pytest.raises(AddressNotAllowed, match=r"host\.example at port 8000 is Orchestrator itself"):
        everything.check_address(ip, 8000, "host.example")
    everything.check_address(ip, 8001, "host.example")


def test_another_machine_may_use_the_same_port_number() -> None:
    assert _is_allowed(PUBLIC, "8.8.8.8", 8000)
    assert _is_allowed(LOCAL, "10.255.255.254", 8000)
    assert _is_allowed(PUBLIC, "2606:4700:4700::1111", 8000)


@pytest.mark.parametrize(
    ("ip", "expected"),
    [("127.0.0.1", True), ("0.0.0.0", True), ("::", True), ("8.8.8.8", False), ("2001:db8::1", False)],  # noqa: S104
)
def test_an_address_of_this_machine_is_one_that_can_be_listened_on(ip: str, *, expected: bool) -> None:
    assert network._is_this_machine(ipaddress.ip_address(ip)) is expected


def test_remembering_good_addresses_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_MAX_REMEMBERED", 1)
    guard = NetworkGuard(allow_local=True, own_port=None)
    for port in (1, 2, 2, 1):
        guard.check_url(f"http://127.0.0.1:{port}/")
    assert guard._good_numbers == {("127.0.0.1", 1)}


def test_what_is_no_address_is_refused() -> None:
    assert not _is_allowed(PUBLIC, "not-an-address")
    assert not _is_allowed(PUBLIC, "")


# --- the allow-list ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "allowed", "denied"),
    [
        ("10.0.0.5:5678", [("10.0.0.5", 5678)], [("10.0.0.5", 22), ("10.0.0.4", 5678), ("10.0.0.6", 5678)]),
        ("10.0.0.5/32:5678", [("10.0.0.5", 5678)], [("10.0.0.5", 5679)]),
        ("10.0.0.0/24", [("10.0.0.1", 1), ("10.0.0.255", 65535)], [("10.0.1.0", 1)]),
        (" 192.168.1.7 ", [("192.168.1.7", 80), ("::ffff:192.168.1.7", 80)], [("192.168.1.8", 80)]),
        ("fd12::/16", [("fd12::1", 80)], [("fd13::1", 80)]),
        ("[fd12::1]:5678", [("fd12::1", 5678)], [("fd12::1", 22), ("fd12::2", 5678)]),
        ("fd12::/16:5678", [("fd12:9::1", 5678)], [("fd12:9::1", 22)]),
        ("[fd12::/16]:5678", [("fd12:9::1", 5678)], [("fd12:9::1", 22)]),
        ("[::1]", [("::1", 80)], [("127.0.0.1", 80)]),
    ],
)
def test_the_allow_list_opens_what_it_names_and_nothing_beside_it(
    entry: str, allowed: list[tuple[str, int]], denied: list[tuple[str, int]]
) -> None:
    guard = NetworkGuard([entry], allow_local=False, own_port=None)
    assert all(_is_allowed(guard, ip, port) for ip, port in allowed)
    assert not any(_is_allowed(guard, ip, port) for ip, port in denied)


def test_each_wrong_entry_of_the_allow_list_has_a_sentence() -> None:
    wrong = [
        "n8n",
        "10.0.0.5/8",
        "10.0.0.5:0",
        "10.0.0.5:70000",
        "10.0.0.0/33",
        "",
        "[fd12::1",
        "http://10.0.0.5",
    ]
    with pytest.raises(ConfigurationError) as caught:
        NetworkGuard([*wrong, "10.0.0.5"], allow_local=False, own_port=None)
    assert len(caught.value.problems) == len(wrong)
    for text, problem in zip(wrong, caught.value.problems, strict=True):
        assert problem.startswith(f"ORCHESTRATOR_NETWORK_ALLOW: {text!r}")
        assert problem.endswith(".")
    assert "/32" in caught.value.problems[1]


# --- how an address is written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://flows.example.org/webhook/a-b_c~d?x=1&y=%20#part",
        "HTTPS://Flows.Example.org",
        "http://n8n:5678/rest",
        "http://my_service.local.:80/",
        "http://a.b/p@th:with;odd,chars!?q=http://x@y/",
        "https://münchen.example/straße?ä=ö",
        "https://xn--mnchen-3ya.example/",
        "http://8.8.8.8:8080/",
        "http://[2606:4700:4700::1111]/",
        "https://a/[x]?y={z}|'\"",
    ],
)
def test_usual_addresses_pass(url: str) -> None:
    PUBLIC.check_url(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "no plain web address"),
        ("flows.example.org/hook", "no plain web address"),
        ("ftp://flows.example.org/", "no plain web address"),
        ("https://user@flows.example.org/", "no plain web address"),
        ("https://user:hunter2@flows.example.org/", "no plain web address"),
        ("https://flows.example.org:port/", "no plain web address"),
        ("https://-flows.example.org/", "no plain web address"),
        ("https://a..b/", "no plain web address"),
        ("https://" + "a" * 64 + ".example/", "no plain web address"),
        ("https://" + "a." * 130 + "example/", "longer than 253"),
        ("https://flows.example.org:0/", "not between 1 and 65535"),
        ("https://flows.example.org:65536/", "not between 1 and 65535"),
        ("https://flows.example.org/a b", "a space"),
        ("https://flows.example.org/a\\b", "backslash"),
        ("https://flows.example.org/a\u200bb", "invisible"),
        ("https://flows.example.org/\x00", "invisible"),
        ("https://flows.example.org/" + "a" * 2048, "longer than 2048"),
        ("http://127.1/", "no IP address in its usual form"),
        ("http://0x7f000001/", "no IP address in its usual form"),
        ("http://host.0x7f/", "no IP address in its usual form"),
        ("http://127.0.0.1./", "no IP address in its usual form"),
        ("http://[::ffff]ff]/", "no plain web address"),
        ("http:////x", "no plain web address"),
        ("http://xn--\u00e4/", "no plain web address"),
        ("http://[12345::]/", "no IP address in its usual form"),
        ("http://127.0.0.1/", "not a public one"),
        ("http://127.0.0.1:8000/", "Orchestrator itself"),
        ("http://[::1]/", "not a public one"),
    ],
)
def test_other_addresses_are_refused_with_a_reason(url: str, sentence: str) -> None:
    with pytest.raises(AddressNotAllowed) as caught:
        PUBLIC.check_url(url)
    assert sentence in caught.value.message
    assert caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_odd_forms_of_numbers_are_refused_on_loopback_too() -> None:
    LOCAL.check_url("http://127.0.0.1:5678/")
    LOCAL.check_url("http://127.0.0.1:5678/")
    with pytest.raises(AddressNotAllowed):
        LOCAL.check_url("http://127.1:5678/")
    with pytest.raises(AddressNotAllowed):
        LOCAL.check_url("http://127.0.0.1:8000/")


@given(st.text(max_size=60))
def test_any_text_is_refused_in_words_or_passes(text: str) -> None:
    try:
        PUBLIC.check_url(text)
        PUBLIC.check_url(f"http://{text}")
    except AddressNotAllowed as error:
        assert error.message.endswith(".")  # noqa: PT017  # passing is right as well
