"""Drives a CodeEngine as a worker's loop does, and a decoder that says what a test wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from glm_codegen.code_engine import CodeEngine, load_engine
from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.row_plan import ModelParts
from glm_protocol.answers import End, FinishReason
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import GlmError
from glm_protocol.requests import AnyRequest
from glm_runtime.device import Placement, TorchAccelerator, choose_placement
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_runtime.kv_shelf import NoRoomNow
from glm_runtime.lora_weights import LoraWeights
from tests.runtime.tiny_models import CONTROL, END, VOCABULARY, byte_tokenizer

_COUNTER = iter(range(10**9))


def request(
    prefix: str = "def f(x):\n    return ", suffix: str = "\n", **options: Any
) -> CompletionRequest:
    context = CodeContext(
        path=options.pop("path", "a.py"),
        language=options.pop("language", "python"),
        prefix=prefix,
        suffix=suffix,
        snippets=options.pop("snippets", ()),
    )
    defaults: dict[str, Any] = {
        "id": f"r{next(_COUNTER)}",
        "document": "file:///a.py",
        "max_tokens": 16,
    }
    return CompletionRequest(context=context, **(defaults | options))


@dataclass
class Answer:
    """What came of one request: texts in order, then an end or an error."""

    pieces: list[str] = field(default_factory=list)
    end: End | None = None
    error: GlmError | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def finish(self) -> FinishReason | None:
        return None if self.end is None else self.end.finish

    @property
    def closed(self) -> bool:
        return self.end is not None or self.error is not None


def gather(engine: CodeEngine, answers: dict[str, Answer], *, steps: int | None = None) -> int:
    """Step until nothing is left (or so many steps); returns the steps taken."""
    taken = 0
    while engine.busy and (steps is None or taken < steps):
        taken += 1
        assert taken < 100_000, "the engine does not come to an end"
        for request_id, outcome in engine.step():
            answer = answers.setdefault(request_id, Answer())
            assert not answer.closed, "something came after the end"
            if isinstance(outcome, GlmError):
                answer.error = outcome
                continue
            if outcome.text:
                answer.pieces.append(outcome.text)
            answer.end = outcome.end
    return taken


def complete(engine: CodeEngine, asked: AnyRequest) -> Answer:
    answers: dict[str, Answer] = {}
    engine.submit(asked)
    gather(engine, answers)
    return answers[asked.id]


def load(folder: Path, **options: Any) -> CodeEngine:
    defaults: dict[str, Any] = {"dtype": "float32", "device": "cpu", "threads": 1}
    return load_engine(EngineOptions(model=str(folder), **(defaults | options)))


class Clock:
    """Seconds that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ScriptedStrand:
    """A strand that says its decoder's script."""

    def __init__(self, prompt: Sequence[int], lora: LoraWeights | None, tenant: str) -> None:
        self.tokens = list(prompt)
        self.lora = lora
        self.tenant = tenant
        self.reused = 0
        self.pending = len(prompt)
        self.said = 0
        self.logits_V: torch.Tensor | None = None
        self.error: GlmError | None = None
        self.ended = False

    @property
    def decodes(self) -> bool:
        return self.said > 0

    def add(self, token: int) -> None:
        self.tokens.append(token)
        self.pending, self.logits_V = 1, None


class ScriptedDecoder:
    """Says the bytes of `script`, then END, to every strand. Counts its work like the real one."""

    def __init__(self, script: str | bytes, *, chunk: int = 128, rows: int = 1) -> None:
        raw = script.encode() if isinstance(script, str) else script
        alphabet = byte_tokenizer()
        letters = {byte: letter for letter, byte in _bytes_of_letters().items()}
        found = [alphabet.token_to_id(letters[byte]) for byte in raw]
        assert None not in found
        self.script: list[int] = [*(token for token in found if token is not None), END]
        self.chunk = chunk
        self.rows = rows
        self.room = rows  # strands that find room for keys and values
        self.strands: list[ScriptedStrand] = []
        self.prompt: Sequence[int] = ()
        self.forwards = 0
        self.widths: list[int] = []  # strands of each step
        self.clock: Clock | None = None  # moved by 10 ms with every step
        self.cleared = 0
        self.forgiving = False  # whether other tokens than the script's are taken
        self.notes: tuple[str, ...] = ()
        self.placement: Placement = choose_placement(
            device="cpu", dtype="float32", accelerator=TorchAccelerator()
        )
        self.fault: dict[int, BaseException] = {}  # number of the forward -> what it raises

    def begin(
        self,
        prompt: Sequence[int],
        lora: LoraWeights | None = None,
        *,
        tenant: str = "",
        most: int | None = None,
        guesses: Any = None,
    ) -> ScriptedStrand:
        if len(self.strands) >= self.room:
            raise NoRoomNow
        assert most is not None
        assert most > len(prompt)
        self.prompt = prompt
        strand = ScriptedStrand(prompt, lora, tenant)
        self.strands.append(strand)
        return strand

    def end(self, strand: ScriptedStrand, *, forget: bool = False) -> None:
        self.strands.remove(strand)
        self.cleared += forget

    def step(self, strands: Sequence[ScriptedStrand], *, chunk: int | None = None) -> None:
        if not strands:
            return
        self.forwards += 1
        self.widths.append(len(strands))
        if self.clock is not None:
            self.clock.now += 0.01
        fault = self.fault.get(self.forwards)
        if fault is not None and not isinstance(fault, GlmError):
            raise fault
        room = self.chunk
        for strand in strands:
            if fault is not None and strand is strands[0]:
                strand.error = fault
            elif strand.decodes or room > 0:
                self._compute(strand, room)
                room -= 0 if strand.decodes else self.chunk

    def _compute(self, strand: ScriptedStrand, room: int) -> None:
        strand.pending -= min(strand.pending, room)
        if strand.pending == 0:
            if strand.said and not self.forgiving:
                assert strand.tokens[-1] == self.script[strand.said - 1]
            strand.logits_V = self._logits(strand)

    def _logits(self, strand: ScriptedStrand) -> torch.Tensor:
        logits_V = torch.zeros(VOCABULARY)
        logits_V[self.script[min(strand.said, len(self.script) - 1)]] = 1.0
        strand.said += 1
        return logits_V


def _bytes_of_letters() -> dict[str, int]:
    """GPT-2's byte-level alphabet: printable bytes stand for themselves, the rest from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + place): byte for place, byte in enumerate(rest)}


def scripted(
    script: str | bytes,
    *,
    clock: Clock | None = None,
    chunk: int = 128,
    context_length: int = 1024,
    control: tuple[str, ...] = CONTROL,
    rows: int = 1,
) -> tuple[CodeEngine, ScriptedDecoder]:
    """An engine whose model says `script`."""
    decoder: Any = ScriptedDecoder(script, chunk=chunk, rows=rows)
    decoder.clock = clock
    tokenizer = TextTokenizer(byte_tokenizer(control))
    prompt_format = choose_format(tokenizer)
    info = EngineInfo(
        model="scripted",
        family="code",
        architecture="Scripted",
        device="cpu",
        dtype="float32",
        context_length=context_length,
        memory_bytes=0,
        capabilities=("infill",),
        prompt_format=prompt_format.name,
    )
    arguments: dict[str, Any] = {} if clock is None else {"clock": clock}
    parts = ModelParts(
        model="scripted",
        tokenizer=tokenizer,
        prompt_format=prompt_format,
        context_length=context_length,
    )
    return CodeEngine(decoder, parts, info, **arguments), decoder
