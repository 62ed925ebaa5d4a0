"""What travels between the fake server and its parts: a received request and the reply to it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Received:
    """A request as it came. The journal keeps these: it is the oracle for side effects."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float = field(default_factory=time.time)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def below(self, prefix: str) -> str:
        """The path behind a prefix."""
        return self.path.removeprefix(prefix)


@dataclass(frozen=True)
class Reply:
    """What to answer. ``action`` other than ``answer`` breaks the rules of HTTP on purpose."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    action: Literal["answer", "drop", "cut", "garbage"] = "answer"


DROP = Reply(action="drop")


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, body, {"Content-Type": "application/json; charset=utf-8"} | dict(headers or {}))


def text_reply(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Reply:
    return Reply(status, text.encode(), {"Content-Type": content_type})
