"""What the fake engine answers to each kind of request. Pure; the stepping is `fake_engine`'s.

Everything depends on the request alone. `<hash>` is eight hex digits over what the request says
(`request_hash`).

    completion: the prefix's last line    the answer
        ends with `return `               fake_value_<hash>
        ends with `def `                  fake_function_<hash>():
        has more `(` than `)`             fake_argument_<hash>)
        ends with the sign of a comment   the fake model says nothing but these words <hash>
        anything else                     fake_completion_<hash>()
        in mode BLOCK, or in AUTO below a line that ends with `:` or `{`, a second line follows,
        with the indentation of the last line: `fake_second_<hash>()`

    chat           fake_answer_<hash>, or with pictures fake_sight_<hash> of N picture(s)
    translation    fake_translation_<hash>()
    remembering    nothing
    drawing        `count` pictures of one colour in the asked size, fully opaque or,
                   asked for transparency, with a transparent border
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from glm_protocol.chat import ChatRequest
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest
from glm_protocol.drawing import DrawRequest
from glm_protocol.remembering import RememberRequest
from glm_protocol.requests import AnyRequest
from glm_protocol.translation import TranslationRequest

COMMENT_SIGNS = ('"""', "'''", "#", "//", "/**", "--")


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeAnswer:
    """Text, or pictures (base64 of PNG files)."""

    text: str = ""
    images: tuple[str, ...] = ()


def said(request: AnyRequest) -> str:
    """The text of a request, as one string: what a poisoned word is looked for in."""
    match request:
        case CompletionRequest():
            return request.context.prefix + request.context.suffix
        case ChatRequest():
            return "\n".join(message.text for message in request.messages)
        case TranslationRequest():
            return request.code
        case DrawRequest():
            return request.prompt
        case RememberRequest():
            return "\n".join(file.text for file in request.files)


def request_hash(request: AnyRequest) -> str:
    """Eight hex digits that change with anything that should change the answer."""
    match request:
        case CompletionRequest():
            return context_hash(request.context)
        case ChatRequest():
            parts = [part for turn in request.messages for part in (turn.role.value, turn.text)]
            parts += [image.data for turn in request.messages for image in turn.images]
            return _hash(*parts, *request.options.values())
        case TranslationRequest():
            return _hash(request.code, request.source, request.target, *request.names)
        case DrawRequest():
            return _hash(request.prompt, str(request.seed or 0), request.image, request.mask)
        case RememberRequest():
            return _hash(request.workspace, *(file.path for file in request.files), said(request))


def context_hash(context: CodeContext) -> str:
    """Eight hex digits that change with anything the context says."""
    texts = [context.path, context.language, context.prefix, context.suffix]
    return _hash(*texts, *(snippet.text for snippet in context.snippets))


def _hash(*texts: str) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:8]


def fake_answer(request: AnyRequest) -> FakeAnswer:
    """The whole answer, before `max_tokens` and `stop`."""
    name = request_hash(request)
    match request:
        case CompletionRequest():
            return FakeAnswer(text=fake_text(request.context, request.mode))
        case ChatRequest() if request.has_images:
            count = sum(len(message.images) for message in request.messages)
            return FakeAnswer(text=f"fake_sight_{name} of {count} picture(s)")
        case ChatRequest():
            return FakeAnswer(text=f"fake_answer_{name}")
        case TranslationRequest():
            return FakeAnswer(text=f"fake_translation_{name}()\n")
        case DrawRequest():
            return FakeAnswer(images=tuple(_pictures(request, name)))
        case RememberRequest():
            return FakeAnswer()


def fake_text(context: CodeContext, mode: CompletionMode = CompletionMode.AUTO) -> str:
    """The completion of a context."""
    name = context_hash(context)
    lines = context.prefix.split("\n")
    last = lines[-1]
    if last.endswith("return "):
        text = f"fake_value_{name}"
    elif last.endswith("def "):
        text = f"fake_function_{name}():"
    elif last.count("(") > last.count(")"):
        text = f"fake_argument_{name})"
    elif last.rstrip().endswith(COMMENT_SIGNS):
        return f"the fake model says nothing but these words {name}"
    else:
        text = f"fake_completion_{name}()"
    opens_block = len(lines) > 1 and not last.strip() and lines[-2].rstrip().endswith((":", "{"))
    if mode is CompletionMode.BLOCK or (mode is CompletionMode.AUTO and opens_block):
        indent = last[: len(last) - len(last.lstrip())]
        text += f"\n{indent}fake_second_{name}()"
    return text


def _pictures(request: DrawRequest, name: str) -> Iterator[str]:
    colour = bytes.fromhex(name)[:3]
    for number in range(request.count):
        shade = bytes((value + 40 * number) % 256 for value in colour)
        file = png(request.width, request.height, shade, clear_border=request.transparent)
        yield base64.b64encode(file).decode("ascii")


def png(width: int, height: int, colour: bytes, *, clear_border: bool = False) -> bytes:
    """A PNG file (RGBA, 8 bits) of one colour; `clear_border`: its outermost pixels are clear."""
    clear, solid = bytes(4), colour + b"\xff"
    edge = clear if clear_border else solid
    inner = b"\0" + (edge + solid * (width - 2) + edge if width > 1 else edge)
    outer = b"\0" + edge * width
    rows = outer + inner * max(0, height - 2) + (outer if height > 1 else b"")
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + word + data + struct.pack(">I", zlib.crc32(word + data))
        for word, data in chunks
    )
