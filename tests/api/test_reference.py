import re
from html.parser import HTMLParser

import httpx

from orchestrator_app.api.error_codes import ERROR_CODES


class Elements(HTMLParser):
    """Collects the elements of a page, and finds those that are not closed."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if values.get("href"):
            self.links.append(str(values["href"]))
        assert "src" not in values
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


async def test_the_reference_lists_every_operation_and_loads_nothing(api: httpx.AsyncClient):
    page = await api.get("/api/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    elements = Elements(page.text)
    description = (await api.get("/api/openapi.json")).json()
    expected = {
        operation["operationId"]
        for methods in description["paths"].values()
        for operation in methods.values()
    }
    assert set(elements.ids) == expected
    assert not elements.names & {"script", "link", "img", "iframe"}
    assert "url(" not in page.text
    assert re.findall(r"https?://", page.text.replace("http://127.0.0.1:5678", "")) == []
    for link in elements.links:
        assert (await api.get(link)).status_code == 200
    assert "color-scheme: light dark" in page.text


async def test_every_error_code_has_its_place_on_the_page_to_which_problems_lead(api: httpx.AsyncClient):
    problem = (await api.get("/api/nothing")).json()
    address, _, anchor = problem["type"].partition("#")
    page = await api.get(address)
    elements = Elements(page.text)
    assert anchor in elements.ids
    assert set(elements.ids) == set(ERROR_CODES)
