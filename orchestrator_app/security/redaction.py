"""Takes secrets out of texts and JSON before they are stored, logged or shown.

Three nets, one behind the other: the values of the known secrets in every form in which others echo them, the names of
fields that hold secrets, and the looks of well-known tokens.
"""

import base64
import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

import orjson

from orchestrator_app.domain.json_values import JsonObject, JsonValue

MASK = "***"
FAILED = "<redaction failed>"
_LEAST_LENGTH = 4  # anything shorter would be masked everywhere, and says nothing any more
_MOST_BOXES = 2_000_000

_SENSITIVE_NAMES = frozenset({"bearer", "cookie", "cookies", "jwt", "passphrase", "pwd", "setcookie"})
_SENSITIVE_ENDS = (
    "accesskey", "apikey", "authorization", "encryptionkey", "passwd", "password", "privatekey", "secret", "secretkey",
    "signingkey", "token",
)  # fmt: skip
_QUERY_NAMES = frozenset({"auth", "code", "key", "sig", "signature", "xamzsignature"})
_SEPARATORS = str.maketrans("", "", "-_. ")
_NAME_FIELDS = ("name", "key", "header")

# The first text has to occur before the pattern is tried: looking for a plain text is many times faster.
_TOKENS = tuple(
    (start, re.compile(pattern, re.DOTALL))
    for start, pattern in (
        ("cb_", r"\bcb_[\w-]{22,}"),
        ("orc_", r"\borc_[A-Za-z0-9]{4,}_[\w-]{16,}"),
        ("whsec_", r"\bwhsec_[A-Za-z0-9+/=]{16,}"),
        ("sk-", r"\bsk-[\w-]{16,}"),
        ("sk_", r"\bsk_(?:live|test)_\w{8,}"),
        ("rk_", r"\brk_(?:live|test)_\w{8,}"),
        ("gh", r"\bgh[pousr]_\w{16,}"),
        ("github_pat_", r"\bgithub_pat_\w{16,}"),
        ("glpat-", r"\bglpat-[\w-]{16,}"),
        ("xox", r"\bxox[abeoprs]-[\w-]{8,}"),
        ("xapp-", r"\bxapp-[\w-]{8,}"),
        ("AKIA", r"\bAKIA[A-Z0-9]{12,}"),
        ("ASIA", r"\bASIA[A-Z0-9]{12,}"),
        ("AIza", r"\bAIza[\w-]{30,}"),
        ("n8n_api_", r"\bn8n_api_\w{16,}"),
        ("PRIVATE KEY", r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    )
)
_LEAST_TOKEN_LENGTH = 14
# Addresses that start a workflow for anybody who knows them: Zapier's Catch Hooks (also through a proxy) and Make's
# custom webhooks. The host stays readable; a slash may be escaped for JSON or for a query.
_SLASH = r"(?:\\{0,4}/|%(?:25)?2F)"
_HOOKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"({_SLASH}hooks{_SLASH}catch{_SLASH})\w(?:[\w~-]|{_SLASH}(?=\w))*",
        rf"((?:(?<![\w-])|(?<=2F))hook(?:\.[\w-]{{1,40}}){{0,4}}\.(?:make|integromat|celonis)\.com(?::\d{{1,5}})?{_SLASH})\w[\w~-]*",
    )
)
# These begin where a run of such characters begins, and nowhere within it: trying each place would take hours.
_THREE_PARTS = re.compile(r"(?<![\w-])[\w-]{11,}\.[\w-]{8,}(?:\.[\w-]*)?")
_USER_INFO = re.compile(r"(://)[^/?#\s\"'<>@]*(?:@[^/?#\s\"'<>@]*)*(?=@)")
_ASSIGNED = re.compile(r"(?<![\w.-])(?P<name>[\w.-]{1,60})=[^&#\s\"'<>;,\\]+")
_QUOTED = re.compile(r"(?<!\\)(?P<quote>\\*[\"'])(?P<name>[\w. -]{1,60})(?P=quote)\s*:\s*(?P=quote)")
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie|x-(?:[a-z0-9]+-){0,2}(?:key|token))(\s*:\s*)[^\r\n\"'<>]+",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(bearer|basic)\s+[\w.~+/-]{16,}=*", re.IGNORECASE)
# Whatever looks like a secret has one of these in it: in letters of any case and without separators, or as it is.
_WORDS = ("basic", *sorted(_SENSITIVE_NAMES), *_SENSITIVE_ENDS)
_BEGINNINGS = (
    "eyJ",
    *(f"gh{kind}_" for kind in "pousr"),
    *(start for start, _ in _TOKENS if start != "gh"),
)
_HOOK_WORDS = ("catch", "make", "integromat", "celonis")
_KEY_HEADER = re.compile(r"x-(?:[a-z0-9]+-){0,2}(?:key|token)")
_QUERY_NAME = re.compile(rf"[?&;](?:{'|'.join(sorted(_QUERY_NAMES))})=")


class Redactor:
    """Redacts with a set of known secrets. Whatever goes wrong inside, nothing comes out unredacted."""

    def __init__(self, secrets: Iterable[str]) -> None:
        wanted = {secret for secret in secrets if len(secret) >= _LEAST_LENGTH}
        forms = {form for secret in wanted for form in _forms(secret)}
        # Long ones first: a secret may be a part of another one.
        self._forms = sorted(forms, key=len, reverse=True)
        self._least_length = min(map(len, forms), default=_LEAST_TOKEN_LENGTH)
        # As they stand in JSON text.
        self._written = {orjson.dumps(form)[1:-1].decode() for form in forms if form.isprintable()}
        self._is_written_plainly = len(self._written) == len(forms)
        self._has_number = any(form.strip("-").replace(".", "").isdecimal() for form in forms)

    def text(self, text: str, *, known_only: bool = False) -> str:
        """The text without secrets. ``known_only`` takes out the known secrets, and leaves what merely looks so."""
        try:
            return self._text(text, known_only=known_only)
        except Exception:  # noqa: BLE001  # fails closed: rather no text than one with a secret
            return FAILED

    def value(self, value: JsonValue, *, known_only: bool = False) -> JsonValue:
        """The value without secrets, at any depth. ``known_only`` as for ``text``."""
        try:
            if self._is_surely_clean(value, known_only=known_only):
                return value
            return self._value(value, known_only=known_only)
        except Exception:  # noqa: BLE001  # fails closed, as above
            return FAILED

    def _is_surely_clean(self, value: JsonValue, *, known_only: bool) -> bool:
        """Whether there is certainly nothing to take out: most values are told by a few looks at them as JSON text."""
        if not self._forms and known_only:
            return True
        # Numbers are written in other ways than here, and half characters not at all.
        if self._has_number or not self._is_written_plainly:
            return False
        try:
            written = orjson.dumps(value).decode()
        except TypeError:
            return False
        if any(form in written for form in self._written):
            return False
        return known_only or not _may_look_secret(written)

    def _text(self, text: str, *, known_only: bool) -> str:
        if len(text) >= self._least_length:
            for form in self._forms:
                if form in text:
                    text = text.replace(form, MASK)
        return text if known_only else _without_lookalikes(text)

    def _value(self, value: JsonValue, *, known_only: bool) -> JsonValue:
        """A clean copy, made without recursion: the depth is the sender's choice."""
        top: list[JsonValue] = [value]
        waiting: list[JsonObject | list[JsonValue]] = [top]
        boxes = 0
        while waiting:
            box = waiting.pop()
            boxes += 1
            if boxes > _MOST_BOXES:
                raise ValueError("too many values, or one that holds itself")
            if isinstance(box, dict):
                self._clean_object(box, known_only=known_only)
                for name, item in box.items():
                    if isinstance(item, dict | list):
                        box[name] = item.copy()
                waiting.extend(item for item in box.values() if isinstance(item, dict | list))
            else:
                for index, item in enumerate(box):
                    box[index] = (
                        item.copy() if isinstance(item, dict | list) else self._item(item, known_only)
                    )
                waiting.extend(item for item in box if isinstance(item, dict | list))
        return top[0]

    def _clean_object(self, box: JsonObject, *, known_only: bool) -> None:
        is_pair = not known_only and _is_named_secret(box)
        clean: JsonObject = {}
        for name, item in box.items():
            is_secret = not known_only and (is_sensitive_name(name) or (is_pair and name == "value"))
            says_nothing = item is None or isinstance(item, bool) or item in ("", [], {})
            key = self._text(name, known_only=known_only)
            clean[key] = MASK if is_secret and not says_nothing else self._item(item, known_only)
        box.clear()
        box.update(clean)

    def _item(self, item: JsonValue, known_only: bool) -> JsonValue:  # noqa: FBT001  # private and hot
        if isinstance(item, str):
            return self._text(item, known_only=known_only)
        if self._has_number and isinstance(item, int | float) and not isinstance(item, bool):
            written = str(item)
            return MASK if any(form in written for form in self._forms) else item
        return item


@lru_cache(maxsize=4096)
def is_sensitive_name(name: str) -> bool:
    """Whether a field of this name holds a secret. Plural ``tokens`` does not: that is what language models count."""
    plain = name.lower().translate(_SEPARATORS)
    return plain in _SENSITIVE_NAMES or plain.endswith(_SENSITIVE_ENDS)


def _is_named_secret(item: JsonObject) -> bool:
    """Whether the object is a pair such as ``{"name": "Authorization", "value": …}``, as lists of headers have."""
    if "value" not in item:
        return False
    names = (item.get(field) for field in _NAME_FIELDS)
    return any(isinstance(name, str) and is_sensitive_name(name) for name in names)


def _may_look_secret(written: str) -> bool:
    """Whether JSON text may hold anything that looks like a secret; when in doubt, yes."""
    for start in _BEGINNINGS:
        if start in written:
            return True
    if "@" in written and "://" in written:
        return True
    lower = written.lower()
    plain = lower.translate(_SEPARATORS)
    for word in _WORDS:
        if word in plain:
            return True
    if "ook" in lower and any(word in lower for word in _HOOK_WORDS):
        return True
    if "=" in plain and _QUERY_NAME.search(plain):
        return True
    return "x-" in lower and _KEY_HEADER.search(lower) is not None


def _without_lookalikes(text: str) -> str:
    if len(text) >= _LEAST_TOKEN_LENGTH:
        for start, pattern in _TOKENS:
            if start in text:
                text = pattern.sub(MASK, text)
        text = _without_hook_addresses(text)
    if "eyJ" in text:
        text = _THREE_PARTS.sub(_mask_web_token, text)
    if "@" in text and "://" in text:
        text = _USER_INFO.sub(rf"\1{MASK}", text)
    if "=" in text:
        text = _ASSIGNED.sub(_mask_assigned, text)
    if ":" in text:
        text = _HEADER.sub(rf"\1\2{MASK}", text)
        if '"' in text or "'" in text:
            text = _mask_quoted(text)
    if " " in text:
        text = _SCHEME.sub(rf"\1 {MASK}", text)
    return text


def _without_hook_addresses(text: str) -> str:
    if "ook" in text or "OOK" in text:
        for pattern in _HOOKS:
            text = pattern.sub(rf"\1{MASK}", text)
    return text


def _mask_web_token(found: re.Match[str]) -> str:
    start = found[0].find("eyJ")
    return found[0] if start < 0 else found[0][:start] + MASK


def _mask_assigned(found: re.Match[str]) -> str:
    name = found["name"]
    is_in_query = found.string[found.start() - 1 : found.start()] in {"?", "&", ";"}
    is_secret = is_sensitive_name(name) or (
        is_in_query and name.lower().translate(_SEPARATORS) in _QUERY_NAMES
    )
    return f"{name}={MASK}" if is_secret else found[0]


def _mask_quoted(text: str) -> str:
    """Mask values of sensitive fields in a text that holds JSON, also when that is written inside of other JSON."""
    pieces: list[str] = []
    done = 0
    for found in _QUOTED.finditer(text):
        if found.start() < done or not is_sensitive_name(found["name"]):
            continue
        pieces += [text[done : found.end()], MASK]
        done = _end_of_quoted(text, found.end(), found["quote"])
    return "".join([*pieces, text[done:]]) if pieces else text


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    end = text.find(quote, start)
    while end >= 0 and len(quote) == 1 and _is_escaped(text, start, end):
        end = text.find(quote, end + 1)
    return len(text) if end < 0 else end


def _is_escaped(text: str, start: int, place: int) -> bool:
    before = place
    while before > start and text[before - 1] == "\\":
        before -= 1
    return (place - before) % 2 == 1


def _forms(secret: str) -> set[str]:
    """All ways in which the secret may be echoed."""
    written = {secret, secret.strip()}
    written |= {json.dumps(one, ensure_ascii=flag)[1:-1] for one in set(written) for flag in (True, False)}
    written |= {json.dumps(one)[1:-1] for one in set(written)}  # JSON within JSON
    written |= {one.replace("/", "\\/") for one in set(written)}
    forms = set(written)
    forms |= {html.escape(secret), html.escape(secret, quote=False), repr(secret)[1:-1]}
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = {quote(raw), quote(raw, safe=""), quote_plus(raw), quote(quote(raw, safe=""), safe="")}
    forms |= escaped | {re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), one) for one in escaped}
    for one in {item.encode("utf-8", "surrogatepass") for item in written}:
        forms |= _base64_forms(one)
    return {form for form in forms if len(form) >= _LEAST_LENGTH}


def _base64_forms(raw: bytes) -> set[str]:
    """The secret in base64, alone and in the middle of other data, as in the pair of a ``Basic`` header.

    Base64 takes three bytes at a time. Where the secret begins in its group changes all characters, so there are three
    forms; the characters at the ends are shared with the neighbours and left out.
    """
    forms = {base64.b64encode(raw).decode().rstrip("=")}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        forms.add(encoded[first:last])
    return forms | {form.replace("+", "-").replace("/", "_") for form in forms}
