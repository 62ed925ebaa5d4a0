"""Finds what nothing in the program uses: functions, classes, methods, properties, constants.

It asks Vulture, and leaves out fields of data classes and attributes of foreign objects: those are read by Pydantic,
SQLModel and the pages, so that Vulture takes almost every one for dead.
"""

import sys
import tomllib
from pathlib import Path

from vulture import Vulture  # pyright: ignore[reportMissingTypeStubs]
from vulture.core import Item  # pyright: ignore[reportMissingTypeStubs]

ROOT = Path(__file__).resolve().parent.parent
ALWAYS_REPORTED = frozenset({"class", "function", "import", "method", "property", "unreachable_code"})
PRODUCT = ("orchestrator_app", "bench", "scripts")
USERS = ("alembic", "rxconfig.py")  # they use the product, and frameworks use them


def is_dead(item: Item) -> bool:
    """Whether the finding is one that people should act on."""
    place = Path(item.filename).resolve().relative_to(ROOT)
    is_constant = item.typ == "variable" and item.name.isupper()
    return place.parts[0] in PRODUCT and (item.typ in ALWAYS_REPORTED or is_constant)


def main() -> int:
    """Print each finding, and fail if there is one."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["vulture"]
    vulture = Vulture(ignore_names=settings["ignore_names"], ignore_decorators=settings["ignore_decorators"])
    places = [str(ROOT / place) for place in (*PRODUCT, *USERS) if (ROOT / place).exists()]
    vulture.scavenge(places)  # pyright: ignore[reportUnknownMemberType]
    dead = [
        item for item in vulture.get_unused_code(min_confidence=settings["min_confidence"]) if is_dead(item)
    ]
    for item in dead:
        print(
            f"{Path(item.filename).relative_to(ROOT)}:{item.first_lineno}: nothing uses the {item.typ} {item.name}"
        )
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
