"""Finding the id of a call in what a platform keeps of it."""

import json
import re
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonValue

# How a body, a message or an input names the id where a platform keeps no headers.
CORRELATION_FIELD = "correlationId"


def carries(data: JsonValue, correlation_id: str) -> bool:
    """Whether the data has this id anywhere, and not just a longer one that contains it."""
    if not data or not correlation_id:
        return False
    written = json.dumps(data, ensure_ascii=False)
    forms = {re.escape(form) for form in (correlation_id, quote(correlation_id, safe=""))}
    return bool(re.search(rf"(?<![\w:.-])(?:{'|'.join(forms)})(?![\w:-])", written))
