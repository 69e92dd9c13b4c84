"""Has a comment written: asks for the hole's text until something reads like words.

Small models answer a hole in code with code: they copy the next line, or turn in a circle. Such an
answer is not shown. The next attempt puts the first words of the sentence in front, the ones after
it draw by chance, with fixed seeds.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice

from glm_context.secret_rules import redact
from glm_lsp.code_tasks import OTHER_CANDIDATES, Source
from glm_lsp.comment_hole import CommentHole
from glm_lsp.position_codec import without_surrogates
from glm_protocol.answers import End
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest
from glm_protocol.errors import Unsupported
from glm_protocol.request_fields import Trigger

COMMENT_TOKENS = 48
ATTEMPTS = 6  # beyond the candidates that are wanted
DEADLINE_MS = 60_000
_MIN_COPIED = 8  # characters: shorter texts occur in code by chance
_KEYWORDS = re.compile(
    r"(?:import|from|return|def|class|with|func|function|fn|const|let|var|elif|try|raise|throw"
    r"|public|private|static|self|this|await|async|yield|assert|print|pass)\b"
)

Ask = Callable[[CompletionRequest], Awaitable[tuple[str, End]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comments:
    """Lines that may be inserted, the first the best; the end of the answer that gave it."""

    lines: tuple[str, ...]
    end: End


async def write_comments(
    ask: Ask, source: Source, hole: CommentHole, *, model: str | None = None, wanted: int = 1
) -> Comments:
    """Up to `wanted` different lines for the hole. Raises Unsupported where none reads like words,
    and whatever `ask` raises."""
    lines: list[str] = []
    first_end: End | None = None
    for request, lead in islice(attempts(source, hole, model), wanted + ATTEMPTS):
        text, end = await ask(request)
        words = (lead + text).strip()
        line = hole.filled(words) if reads_like_words(words, source) else ""
        if line and line not in lines:
            lines.append(line)
            first_end = first_end or end
        if len(lines) >= wanted:
            break
    if first_end is None:
        raise Unsupported(
            "The model wrote nothing that reads like a comment here.",
            remedy="Try another place, or a larger model: see `glm-lsp models`.",
        )
    return Comments(lines=tuple(lines), end=first_end)


def attempts(
    source: Source, hole: CommentHole, model: str | None
) -> Iterator[tuple[CompletionRequest, str]]:
    """Requests with the words put in front: greedy without and with the lead, then by chance."""
    yield _request(source, hole, "", model, 0), ""
    space = "" if hole.prefix.endswith('"') else " "  # behind a sign
    led = space + hole.lead if hole.lead else ""
    if led:
        yield _request(source, hole, led, model, 0), led
    for seed in count(1):
        lead = led if seed % 2 else ""
        yield _request(source, hole, lead, model, seed), lead


def reads_like_words(text: str, source: Source) -> bool:
    """Whether a text may be a comment: words, no code, not copied, not in a circle."""
    flat = " ".join(text.split())
    words = re.findall(r"[^\W\d_]+", flat)
    if len(words) < 2 or _KEYWORDS.match(flat) or " = " in flat:
        return False
    if len(flat) >= _MIN_COPIED and any(flat in " ".join(line.split()) for line in source.lines):
        return False
    letters = sum(character.isalpha() or character == " " for character in flat)
    triples = Counter(zip(words, words[1:], words[2:], strict=False))
    return letters >= 0.8 * len(flat) and max(triples.values(), default=1) == 1


def _request(
    source: Source, hole: CommentHole, lead: str, model: str | None, seed: int
) -> CompletionRequest:
    number = uuid.uuid4().hex
    return CompletionRequest(
        id=number,
        document=number,  # nobody's successor: ghost text of the same file goes on
        context=CodeContext(
            path=without_surrogates(source.path),
            language=source.language[:64],
            prefix=redact(without_surrogates(hole.prefix + lead), source.language)[0],
            suffix=redact(without_surrogates(hole.suffix), source.language)[0],
        ),
        mode=CompletionMode.LINE,
        trigger=Trigger.EXPLICIT,
        model=model,
        max_tokens=COMMENT_TOKENS,
        temperature=OTHER_CANDIDATES if seed else 0.0,
        seed=seed,
        stop=(hole.stop,),
        memory=False,
        deadline_ms=DEADLINE_MS,
    )
