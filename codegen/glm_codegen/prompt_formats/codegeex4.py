"""CodeGeeX4's infilling format: suffix first, then prefix, then the answer.

    [gMASK]<sop><|user|>
    ###REFERENCE:
    ###PATH:{path}
    {code}
    ###PATH:{path}
    ###LANGUAGE:{Language}
    ###MODE:{LINE or BLOCK}
    <|code_suffix|>{suffix}<|code_prefix|>{prefix}<|code_middle|><|assistant|>

The reference block is repeated or absent; a newline follows `<|assistant|>`. Because the suffix
stands first, it and the references stay in the KV cache while the user types. Source: the
CodeGeeX4 project's infilling guideline. `nano-code` speaks this format too.
"""

from __future__ import annotations

from glm_codegen.prompt_formats.language_names import language_name
from glm_codegen.prompt_formats.prompt_format import Prompt, PromptPiece, decide_mode
from glm_codegen.prompt_formats.room import pack
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode, Snippet

CONTROL = (
    *("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|endoftext|>"),
    *("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
)
STOPS = (
    *("<|endoftext|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
)


def one_line(path: str) -> str:
    """A path that cannot break out of its header line."""
    return " ".join(path.split("\n")).replace("\r", " ")


def header(context: CodeContext, mode: CompletionMode) -> str:
    """The three header lines of the file at the cursor."""
    return (
        f"###PATH:{one_line(context.path)}\n"
        f"###LANGUAGE:{language_name(context.language)}\n"
        f"###MODE:{mode.value.upper()}\n"
    )


def reference(snippet: Snippet) -> str:
    """One related piece of code with its header lines."""
    code = snippet.text if snippet.text.endswith("\n") else snippet.text + "\n"
    return f"###REFERENCE:\n###PATH:{one_line(snippet.path)}\n{code}"


class CodeGeeX4Format:
    """Renders infilling prompts for tokenizers that hold all of `CONTROL`."""

    name = "codegeex4"
    reads_suffix = True

    def __init__(self, tokenizer: TextTokenizer) -> None:
        """Look the control tokens up once. Raises ValueError where one is missing."""
        self._tokenizer = tokenizer
        self._ids: dict[str, int] = {}
        for control in CONTROL:
            found = tokenizer.control_id(control)
            if found is None:
                raise ValueError(f"the tokenizer has no {control}, which infilling needs")
            self._ids[control] = found
        stops = (tokenizer.control_id(stop) for stop in STOPS)
        self._stop_ids = frozenset(stop for stop in stops if stop is not None)

    @classmethod
    def fits(cls, tokenizer: TextTokenizer) -> bool:
        """Whether the tokenizer has every control token of this format."""
        return all(tokenizer.control_id(control) is not None for control in CONTROL)

    def render(self, context: CodeContext, *, mode: CompletionMode, token_budget: int) -> Prompt:
        """See `PromptFormat.render`."""
        mode = decide_mode(context, mode)
        encode, control = self._tokenizer.encode, self._ids
        newline, head = encode("\n"), encode(header(context, mode))
        room = token_budget - (2 * len(newline) + len(head) + 7)
        if room < 1:
            raise ValueError(f"a budget of {token_budget} tokens leaves no room for code")
        packed = pack(
            context.prefix,
            context.suffix,
            [reference(snippet) for snippet in context.snippets],
            room=room,
            encode=encode,
        )
        parts: list[tuple[str, list[int]]] = [
            ("control", [control["[gMASK]"], control["<sop>"], control["<|user|>"]]),
            ("header", newline),
        ]
        for snippet, ids in zip(context.snippets, packed.snippets, strict=True):
            if ids is not None:
                parts.append((snippet.id, ids))
        parts += [
            ("header", head),
            ("control", [control["<|code_suffix|>"]]),
            ("suffix", packed.suffix),
            ("control", [control["<|code_prefix|>"]]),
            ("prefix", packed.prefix),
            ("control", [control["<|code_middle|>"], control["<|assistant|>"]]),
            ("header", newline),
        ]
        return Prompt(
            token_ids=tuple(token for _, ids in parts for token in ids),
            stop_ids=self._stop_ids,
            stop_texts=("\n",) if mode is CompletionMode.LINE else (),
            pieces=tuple(PromptPiece(source=source, tokens=len(ids)) for source, ids in parts),
            mode=mode,
        )
