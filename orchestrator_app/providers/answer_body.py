"""Takes in an answer's body chunk by chunk, within limits: decompressed size, compression ratio, whole streams only."""

import zlib
from typing import Protocol

from orchestrator_app.errors import UnreadableAnswer

MAX_RATIO = 100
# Small answers may be compressed by any ratio: a megabyte of zeros hurts nobody.
RATIO_FREE_BYTES = 1_048_576
_GZIP = 16 + zlib.MAX_WBITS


class BodyReader(Protocol):
    """Collects a body; both methods raise ``UnreadableAnswer``."""

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        ...

    def close(self) -> bytes:
        """The whole body, after the last chunk."""
        ...


def body_reader(encoding: str, host: str, max_bytes: int) -> BodyReader:
    """The reader for this content encoding.

    Raises:
        UnreadableAnswer: It is none that was asked for.
    """
    if encoding in {"", "identity"}:
        return _Plain(host, max_bytes)
    if encoding in {"gzip", "x-gzip"}:
        return _Gunzip(host, max_bytes)
    raise UnreadableAnswer(
        f"{host} answered in an encoding that was not asked for.",
        hint="It has to answer uncompressed or with gzip.",
    )


def too_large(host: str, max_bytes: int) -> UnreadableAnswer:
    """The error for an answer beyond the limit."""
    return UnreadableAnswer(
        f"{host} answered with more than {max_bytes / 1_048_576:g} MiB.",
        hint="Let it send less, or a link instead.",
    )


class _Plain:
    def __init__(self, host: str, max_bytes: int) -> None:
        self._host = host
        self._max_bytes = max_bytes
        self._size = 0
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise too_large(self._host, self._max_bytes)
        self._chunks.append(chunk)

    def close(self) -> bytes:
        return b"".join(self._chunks)


class _Gunzip:
    def __init__(self, host: str, max_bytes: int) -> None:
        self._host = host
        self._max_bytes = max_bytes
        self._received = 0
        self._plain = _Plain(host, max_bytes)
        self._unpacked = 0
        self._stream = zlib.decompressobj(_GZIP)
        self._is_between_streams = True

    def feed(self, chunk: bytes) -> None:
        self._received += len(chunk)
        try:
            while chunk:
                self._is_between_streams = False
                # One byte more than allowed is enough to know; the rest of a bomb is never unpacked.
                piece = self._stream.decompress(chunk, self._max_bytes - self._unpacked + 1)
                self._unpacked += len(piece)
                self._check_ratio()
                self._plain.feed(piece)
                chunk = self._stream.unused_data
                if self._stream.eof:
                    # A gzip body may consist of several streams one after the other.
                    self._stream = zlib.decompressobj(_GZIP)
                    self._is_between_streams = True
        except zlib.error as error:
            raise self._broken() from error

    def _check_ratio(self) -> None:
        if self._unpacked > RATIO_FREE_BYTES and self._unpacked > self._received * MAX_RATIO:
            raise UnreadableAnswer(
                f"{self._host} answered with data compressed more than {MAX_RATIO} times, as attacks are.",
                hint="Let it answer uncompressed if the data is right.",
            )

    def close(self) -> bytes:
        if not self._is_between_streams:
            raise self._broken()
        return self._plain.close()

    def _broken(self) -> UnreadableAnswer:
        return UnreadableAnswer(
            f"{self._host} answered with data that is not what its encoding (gzip) says.",
            hint="A proxy in between may have changed it.",
        )
