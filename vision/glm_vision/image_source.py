"""Bytes of a picture from a file, a data URI or a clipboard, and what kind they say they are.

Nothing is decoded here. Files are read by `glm_client.picture_file`, which waits for no FIFO.
Addresses of other machines are never fetched.
"""

from __future__ import annotations

import base64
import binascii

from glm_client.picture_file import check_size
from glm_protocol.errors import BadRequest, Unsupported

EXPORT = "Save it as PNG, JPEG, WebP or GIF."
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}
# Known and refused; the names go into the message.
_OTHERS = {
    b"%PDF": "PDF",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"BM": "BMP",
    b"\x00\x00\x01\x00": "ICO",
    b"8BPS": "PSD",
    b"PK\x03\x04": "ZIP",
}


def kind_of(data: bytes) -> str:
    """ "PNG", "JPEG", "GIF" or "WEBP" by the first bytes; a file's name is not asked.

    Raises BadRequest for nothing at all and Unsupported for every other kind.
    """
    if not data:
        raise BadRequest("The picture is empty.", remedy=EXPORT)
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    name = next((name for start, name in _OTHERS.items() if data.startswith(start)), "")
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head or head.startswith((b"<?xml", b"<!doctype svg")):
        name = "SVG"
    if data[4:8] == b"ftyp":
        name = "HEIC, AVIF or a film"
    raise Unsupported(f"The picture is {name or 'of an unknown kind'}.", remedy=EXPORT)


def read_data_uri(uri: str, max_bytes: int) -> bytes:
    """The bytes of `data:image/png;base64,…`. Raises BadRequest, Unsupported for other schemes."""
    if not uri.startswith("data:"):
        raise Unsupported(
            "Pictures are not fetched from other machines.",
            remedy="Send the picture itself as a data URI, or a file of the workspace.",
        )
    head, comma, body = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise BadRequest("The data URI of the picture is not base64.", remedy=EXPORT)
    check_size(len(body) * 3 // 4 - 2, max_bytes)
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("The data URI of the picture is broken.", remedy=EXPORT) from error
    check_size(len(data), max_bytes)
    return data
