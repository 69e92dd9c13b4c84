"""`multipart/form-data` of a body that is read already and bounded: names, texts and files.

Only what OpenAI's clients send: no nested parts, no transfer encodings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from glm_protocol.errors import BadRequest

MOST_PARTS = 64
MOST_HEAD = 4096  # bytes of a part's headers
_BOUNDARY = re.compile(r'boundary=(?:"(?P<quoted>[^"]{1,70})"|(?P<bare>[^\s;,"]{1,70}))', re.I)
_NAME = re.compile(
    rb'content-disposition:\s*form-data\b[^\r\n]*?[;\s]name="([^"\r\n]{1,128})"', re.I
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FormData:
    """Parts by name, the first of equal names; `image[]` counts as `image`."""

    parts: dict[str, bytes]

    def text(self, name: str) -> str | None:
        """Raises BadRequest where it is not UTF-8."""
        part = self.parts.get(name)
        try:
            return None if part is None else part.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadRequest(f"The form's field {name} is not UTF-8.") from error


def read_form(content_type: str, body: bytes) -> FormData:
    """Raises BadRequest on anything that is not such a form."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        raise BadRequest(
            "This request is no form.", remedy="Send multipart/form-data with an image in it."
        )
    boundary = (found["quoted"] or found["bare"]).encode("latin-1", "replace")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--") or len(pieces) > MOST_PARTS + 2:
        raise BadRequest("The form is cut short or has too many parts.")
    parts: dict[str, bytes] = {}
    for piece in pieces[1:-1]:
        head, gap, content = piece.lstrip(b" \t").partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not gap or len(head) > MOST_HEAD or name is None:
            raise BadRequest("A part of the form has no name.")
        parts.setdefault(name[1].decode("utf-8", "replace").removesuffix("[]"), content)
    return FormData(parts=parts)
