"""The body of a request: whole, of a known type, unpacked when it came gzipped, and never larger than it may be."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import Request

from collector.refusals import RequestRefused

BODY_TIMEOUT_S = 30.0
MAX_MEMBERS = 100  # members of one gzip stream; each costs time, also an empty one
_GZIP = 16 + zlib.MAX_WBITS
_CHUNK = 2**16


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body, at most ``max_bytes`` both as it travels and unpacked; refused as soon as its headers or first bytes show it.

    Raises RequestRefused with 400 (damaged gzip), 408 (too slow), 413 (too large) or 415 (a coding that is not read).
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise RequestRefused(415, "encoded", "Content-Encoding", "send the body as it is, or with Content-Encoding: gzip")
    too_large = RequestRefused(
        413, "too_many_bytes", "body", f"the body is larger than {max_bytes} bytes; send fewer events at once"
    )
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > max_bytes):
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError:
        message = f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s; send it again"
        raise RequestRefused(408, "slow_body", "body", message) from None
    body = b"".join(chunks)
    return body if coding == "identity" else gunzip(body, max_bytes)


def gunzip(packed: bytes, max_bytes: int) -> bytes:
    """The unpacked body. Stops at ``max_bytes`` + 1 bytes of output and at ``MAX_MEMBERS`` members, whatever would come.

    Raises RequestRefused with 413 when there is more, with 400 when the bytes are no whole gzip stream.
    """
    pieces: list[bytes] = []
    left, at, members = max_bytes, 0, 0
    while at < len(packed):  # a gzip stream may have several members, one behind the other
        if members == MAX_MEMBERS:
            message = f"the gzip stream has more than {MAX_MEMBERS} members; pack the whole batch at once"
            raise RequestRefused(413, "too_many_members", "body", message)
        member = zlib.decompressobj(_GZIP)
        members += 1
        while not member.eof:
            chunk = packed[at : at + _CHUNK]
            if not chunk:
                raise _damaged()
            try:
                piece = member.decompress(chunk, left + 1)
            except zlib.error:
                raise _damaged() from None
            left -= len(piece)
            if left < 0:
                message = f"the unpacked body is larger than {max_bytes} bytes; send fewer events at once"
                raise RequestRefused(413, "too_many_bytes", "body", message)
            pieces.append(piece)
            at += len(chunk) - len(member.unused_data)
    return b"".join(pieces)


def _damaged() -> RequestRefused:
    return RequestRefused(
        400, "malformed_gzip", "body", "the body is no whole gzip stream; pack the JSON with gzip, or send it plain"
    )


def require_json(request: Request) -> None:
    """Raises RequestRefused with 415 when the request says that its body is something else than JSON."""
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise RequestRefused(415, "not_json", "Content-Type", "send JSON with Content-Type: application/json")
