"""Renders the infilling prompt of any family of `fim_families.py`.

What stands between two control tokens and comes from no stranger (a header line with its path, its
language and its mode) is encoded as one text, as it was in training. Untrusted text never becomes
a control token: control tokens are inserted by id, and `TextTokenizer` matches none in text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glm_codegen.prompt_formats.fim_families import FimFamily
from glm_codegen.prompt_formats.language_names import comment_line, language_name
from glm_codegen.prompt_formats.markup import Part, PartKind, controls_of, parts_of
from glm_codegen.prompt_formats.prompt_format import Prompt, PromptPiece, decide_mode
from glm_codegen.prompt_formats.room import pack
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode, Snippet

Piece = tuple[str, list[int]]  # where tokens come from, and the tokens


def one_line(path: str) -> str:
    """A path that cannot break out of its header line."""
    return " ".join(path.split("\n")).replace("\r", " ")


def fits(family: FimFamily, tokenizer: TextTokenizer, model_type: str) -> bool:
    """Whether tokenizer and config are those of the family."""
    if family.model_types and model_type not in family.model_types:
        return False
    has = tokenizer.control_id
    return all(has(name) is not None for name in family.controls) and all(
        has(name) is None for name in family.lacks
    )


class MarkedFormat:
    """The format of one family for one tokenizer."""

    reads_suffix = True

    def __init__(self, family: FimFamily, tokenizer: TextTokenizer) -> None:
        """Look the control tokens up once. Raises ValueError where one is missing."""
        self.family = family
        self._tokenizer = tokenizer
        self._ids: dict[str, int] = {}
        for control in family.controls:
            found = tokenizer.control_id(control)
            if found is None:
                raise ValueError(f"the tokenizer has no {control}, which infilling needs")
            self._ids[control] = found
        extra = {name: tokenizer.control_id(name) for name in family.reference_controls}
        # A tokenizer may know how to infill and lack the control tokens of related files.
        self._takes_references = None not in extra.values()
        self._ids |= {name: token for name, token in extra.items() if token is not None}
        stops = (*family.stops, *controls_of(family.prompt))
        found_stops = (tokenizer.control_id(stop) for stop in stops)
        self._stop_ids = frozenset(stop for stop in found_stops if stop is not None)
        self._stop_ids -= frozenset(
            self._ids[name] for name in ("[gMASK]", "<sop>") if name in self._ids
        )

    @property
    def name(self) -> str:
        return self.family.name

    def render(self, context: CodeContext, *, mode: CompletionMode, token_budget: int) -> Prompt:
        """See `PromptFormat.render`."""
        mode = decide_mode(context, mode)
        words = {
            "path": one_line(context.path),
            "language": language_name(context.language),
            "mode": mode.value.upper(),
        }
        snippets = context.snippets if self._takes_references else ()
        parts = parts_of(self.family.with_references if snippets else self.family.prompt)
        fixed = sum(len(ids) for _, ids in self._pieces(parts, words, {}))
        room = token_budget - fixed
        if room < 1:
            raise ValueError(f"a budget of {token_budget} tokens leaves no room for code")
        encode = self._tokenizer.encode_inside
        packed = pack(
            context.prefix if snippets else self.family.prefix_lead + context.prefix,
            context.suffix,
            [self._reference(snippet, context.language) for snippet in snippets],
            room=room,
            encode=encode,
        )
        references = [
            (snippet.id, ids)
            for snippet, ids in zip(snippets, packed.snippets, strict=True)
            if ids is not None
        ]
        fields = {
            "prefix": [("prefix", packed.prefix)],
            "suffix": [("suffix", packed.suffix)],
            "references": references,
        }
        pieces = list(self._pieces(parts, words, fields))
        return Prompt(
            token_ids=tuple(token for _, ids in pieces for token in ids),
            stop_ids=self._stop_ids,
            stop_texts=(
                *(("\n",) if mode is CompletionMode.LINE else ()),
                *self.family.stop_texts,
            ),
            pieces=tuple(PromptPiece(source=source, tokens=len(ids)) for source, ids in pieces),
            mode=mode,
        )

    def _reference(self, snippet: Snippet, language: str) -> list[int]:
        """Ids of one piece of related code with its header."""
        path = one_line(snippet.path)
        words = {
            "path": path,
            "comment": comment_line(snippet.language or language, path),
            "code": snippet.text if snippet.text.endswith("\n") else snippet.text + "\n",
        }
        pieces = self._pieces(parts_of(self.family.reference), words, {})
        return [token for _, ids in pieces for token in ids]

    def _pieces(
        self, parts: Sequence[Part], words: dict[str, str], fields: dict[str, list[Piece]]
    ) -> Iterator[Piece]:
        """Tokens of the parts in order; neighbouring control tokens and words are joined."""
        run, controls = "", list[int]()
        for part in parts:
            is_words = part.kind is PartKind.WORDS or part.text in words
            if run and not is_words:
                yield "header", self._tokenizer.encode_inside(run)
                run = ""
            if controls and part.kind is not PartKind.CONTROL:
                yield "control", controls
                controls = []
            if part.kind is PartKind.CONTROL:
                controls.append(self._ids[part.text])
            elif is_words:
                run += words.get(part.text, part.text) if part.kind is PartKind.FIELD else part.text
            elif part.text == "begin":
                if self._tokenizer.opening_ids:
                    yield "control", list(self._tokenizer.opening_ids)
            else:
                yield from fields.get(part.text, [])
        if run:
            yield "header", self._tokenizer.encode_inside(run)
        if controls:
            yield "control", controls
