"""Finds a Zap in Zapier's list, which is the only way to get one: Zapier cannot be asked for it by its id."""

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import CredentialRefused, ProviderRefused
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.zapier_api import PROVIDER, ZapierApi, number_of

_MOST_PAGES = 100
_MOST_SEEN = 10_000


class ZapFinder:
    """Remembers for a while on which page a Zap stood, and its number, so that pages need not be read again."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[str, str]] = {}

    def remember(self, connection_id: str, cursor: str, rows: list[JsonObject]) -> None:
        """Note the Zaps of a page."""
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()
        for row in rows:
            self._seen[connection_id, text_at(row, "id")] = (cursor, number_of(row))

    def seen_number(self, connection_id: str, zap_id: str) -> str | None:
        """The number of a Zap that was seen; empty if it has none, None if it was not seen."""
        seen = self._seen.get((connection_id, zap_id))
        return seen[1] if seen else None

    async def find(
        self, api: ZapierApi, connection_id: str, zap_id: str, operation: str
    ) -> JsonObject | None:
        """The Zap, or None if there is none: first where it was seen last, then page by page.

        Raises:
            ProviderRefused: It is not on so many pages that looking further takes too long.
        """
        seen = self._seen.get((connection_id, zap_id))
        if seen and seen[0]:
            row, _ = await self._look_on(api, connection_id, zap_id, seen[0], operation)
            if row is not None:
                return row
        cursor = ""
        for _ in range(_MOST_PAGES):
            row, cursor = await self._look_on(api, connection_id, zap_id, cursor, operation)
            if row is not None or not cursor:
                return row
        raise ProviderRefused(
            f"The Zap {zap_id} is not on the first {_MOST_PAGES} pages of the list, and Zapier cannot be asked for it "
            "in another way.",
            hint="Let the access token see fewer Zaps, for instance by the scope zap instead of zap:all.",
            provider=PROVIDER,
            operation=operation,
        )

    async def number(self, api: ZapierApi, connection_id: str, zap_id: str, operation: str) -> str:
        """The number of a Zap in the history of runs; empty where it cannot be found, so that all runs are searched."""
        known = self.seen_number(connection_id, zap_id)
        if known is not None:
            return known
        try:
            row = await self.find(api, connection_id, zap_id, operation)
        except ProviderRefused:
            return ""
        except CredentialRefused as error:
            if not error.lacks_permission:
                raise
            return ""  # a token may read the history without being allowed to list
        return number_of(row) if row else ""

    async def _look_on(
        self, api: ZapierApi, connection_id: str, zap_id: str, cursor: str, operation: str
    ) -> tuple[JsonObject | None, str]:
        """The Zap, if it is on the page of this cursor, and the cursor of the next page."""
        page = await api.zaps(cursor, operation)
        self.remember(connection_id, cursor, page.rows)
        return next((row for row in page.rows if text_at(row, "id") == zap_id), None), page.following
