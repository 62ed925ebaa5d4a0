"""How large the values may be that a run keeps."""

import json

from orchestrator_app.domain.json_values import JsonValue, size_of
from orchestrator_app.errors import NodeFailed

MAX_OUTPUT_BYTES = 1_048_576
# An attempt shows what was sent and received; node and run keep the whole of it once.
MAX_NOTED_BYTES = 65_536


def check_output(output: JsonValue) -> int:
    """Refuse an output that is too large to be kept.

    Returns:
        Its size in bytes.

    Raises:
        NodeFailed: With the sizes.
    """
    size = size_of(output)
    if size > MAX_OUTPUT_BYTES:
        raise NodeFailed(
            f"The output has {size:,} bytes; at most {MAX_OUTPUT_BYTES:,} can be kept.",
            code="output_too_large",
            hint="Let the remote workflow answer with less, for instance a link to the data.",
        )
    return size


def noted(body: JsonValue) -> JsonValue:
    """A body as an attempt's record keeps it: of a large one the beginning, as text."""
    size = size_of(body)
    if size <= MAX_NOTED_BYTES:
        return body
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return f"{text[:MAX_NOTED_BYTES]}… ({size:,} bytes in all)"
