"""What the simulated workflows make of their input: always the same for the same input."""

import hashlib
import json

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.providers.json_reading import number_at, object_at, text_at

_FREE_MAIL = frozenset({"gmail.com", "outlook.com", "icloud.com", "proton.me"})
_COUNTRIES = ("Austria", "Canada", "Estonia", "Japan", "Kenya", "Portugal")
PLANS = ("free", "team", "business", "enterprise")
_HOT = 70
_WARM = 40
_URGENT_WORDS = ("urgent", "down", "outage", "asap", "broken")
CALLBACK_NAMES = ("callbackUrl", "correlationToken")


def without_callback(data: JsonValue) -> JsonValue:
    """The input without the address and token of the callback: they are no data."""
    if not isinstance(data, dict):
        return data
    return {name: value for name, value in data.items() if name not in CALLBACK_NAMES}


def done(data: JsonValue) -> JsonValue:
    """A plain sign that the work is done, with the input."""
    return {"message": "Done.", "input": without_callback(data)}


def same(data: JsonValue) -> JsonValue:
    """The input itself."""
    return data


def answer(data: JsonValue) -> JsonValue:
    """An answer to a question, as a flow of Flowise gives it."""
    question = (
        data if isinstance(data, str) else text_at(data, "question") or json.dumps(without_callback(data))
    )
    words = question.split()
    shown = " ".join(words[:12]) + ("…" if len(words) > 12 else "")  # noqa: PLR2004 - enough to recognise it
    text = f"You asked “{shown}”. This is a simulated answer: connect Flowise to get a real one."
    return {"text": text, "question": question, "words": len(words)}


def customer(data: JsonValue) -> JsonValue:
    """The customer of an e-mail address, made up from it."""
    email = (
        data if isinstance(data, str) else text_at(data, "email") or text_at(data, "customer", "email")
    ).lower()
    local, _, domain = email.partition("@")
    if not local or "." not in domain:
        return {
            "found": False,
            "customer": None,
            "reason": "The input has no e-mail address in the field email.",
        }
    number = _number("customer", email)
    is_private = domain in _FREE_MAIL
    employees = 1 if is_private else 5 + number % 2_000
    return {
        "found": True,
        "customer": {
            "id": f"CUS-{number % 100_000:05d}",
            "email": email,
            "name": " ".join(part.capitalize() for part in local.replace("_", ".").split(".") if part),
            "company": None if is_private else domain.partition(".")[0].capitalize(),
            "segment": "private" if is_private else "enterprise" if employees > 500 else "business",  # noqa: PLR2004
            "plan": PLANS[number % len(PLANS)],
            "employees": employees,
            "openDeals": number // 7 % 4,
            "lifetimeValue": number // 11 % 50_000,
            "country": _COUNTRIES[number // 13 % len(_COUNTRIES)],
        },
    }


def score(data: JsonValue) -> JsonValue:
    """Points, grade and reasons for a lead."""
    lead = object_at(data, "customer") or object_at(data)
    gained: list[tuple[float, str]] = [
        (min(number_at(lead, "employees") / 20, 40), "size of the company"),
        (min(number_at(lead, "openDeals") * 10, 30), "open deals"),
        (min(number_at(lead, "budget") / 1_000, 30), "budget"),
        (20 if text_at(lead, "plan") in {"business", "enterprise"} else 0, "plan"),
    ]
    score = round(min(sum(points for points, _ in gained), 100))
    reasons: list[JsonValue] = [reason for points, reason in gained if points >= 1]
    return {
        "score": score,
        "grade": "hot" if score >= _HOT else "warm" if score >= _WARM else "cold",
        "reasons": reasons,
        "lead": without_callback(lead),
    }


def mail(data: JsonValue) -> JsonValue:
    """What a mail server says about a message that was handed in."""
    to = text_at(data, "to") or text_at(data, "email") or text_at(data, "customer", "email")
    subject = text_at(data, "subject") or "(no subject)"
    return {
        "accepted": "@" in to,
        "messageId": f"<{_number('mail', to, subject):012x}@mail.simulated>" if "@" in to else None,
        "to": to or None,
        "subject": subject,
    }


def ticket(data: JsonValue) -> JsonValue:
    """A ticket with its priority and queue."""
    title = text_at(data, "title") or text_at(data, "subject") or "Untitled request"
    is_urgent = any(word in title.lower() for word in _URGENT_WORDS)
    return {
        "ticketId": f"T-{_number('ticket', title) % 1_000_000:06d}",
        "title": title,
        "priority": "urgent" if is_urgent else "normal",
        "queue": "on-call" if is_urgent else "support",
    }


def _number(*parts: str) -> int:
    """A number that is always the same for the same parts."""
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode(errors="replace")).digest()[:6])
