"""Filters in the address bar."""

import json


def address_script(path: str, parameters: dict[str, str]) -> str:
    """JavaScript that puts filters into the address without loading the page again."""
    chosen = json.dumps({key: value for key, value in parameters.items() if value})
    return (
        f"(() => {{ const query = new URLSearchParams({chosen}).toString();"
        f" history.replaceState(history.state, '', {json.dumps(path)} + (query ? '?' + query : '')); }})()"
    )
