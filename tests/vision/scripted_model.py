"""A `VisionModel` that says what a test wrote, and a tiny random CogVLM in a folder."""

from __future__ import annotations

import base64
import json
import string
from collections import deque
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models

from glm_protocol.answers import Chunk, End
from glm_protocol.chat import ChatMessage, ChatRequest, ImageData, Role
from glm_protocol.errors import GlmError
from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.cogvlm_config import CogVLMConfig
from glm_vision.token_stream import Sampling
from glm_vision.vision_engine import VisionEngine
from glm_vision.vision_model import CellText, Started, Turn

STOP = 0


class ScriptedTokens:
    """One token a character, of every row."""

    def __init__(self, texts: Sequence[str]) -> None:
        longest = max(map(len, texts))
        padded = [[*map(ord, text), *[STOP] * (longest + 1 - len(text))] for text in texts]
        self._steps = deque(map(list, zip(*padded, strict=True)))
        self.closed = False

    def next(self) -> list[int] | None:
        return self._steps.popleft() if self._steps else None

    def close(self) -> None:
        self.closed = True


class ScriptedModel:
    """Answers in the order of `answers`, one a row; `cells` and `names` are its cell reader's."""

    stop_ids = frozenset({STOP})
    context_length = 4096
    dtype = torch.float32

    def __init__(
        self,
        *answers: str,
        sees: bool = True,
        taught: str = "",
        cells: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> None:
        self.answers = deque(answers)
        self.sees = sees
        self.taught = taught
        self.cells = deque(cells)
        self.names = names
        self.asked: list[list[Turn]] = []
        self.streams: list[ScriptedTokens] = []

    @property
    def cell_reader(self) -> Any:
        return self if self.taught else None

    def read(self, pictures: Sequence[Image.Image]) -> list[CellText]:
        texts = [self.cells.popleft() for _ in pictures]
        return [CellText(text=text.ljust(144), sure=(1.0,) * 144) for text in texts]

    def name(self, picture: Image.Image, count: int, names: Sequence[str]) -> list[str]:
        assert picture.size == (192, 192)
        assert set(self.names) <= set(names)
        return list(self.names[:count])

    def start(self, rows: Sequence[Sequence[Turn]], sampling: Sampling) -> Started:
        self.asked += [list(row) for row in rows]
        texts = [self.answers.popleft()[: sampling.max_tokens] for _ in rows]
        self.streams.append(ScriptedTokens(texts))
        tokens: Any = self.streams[-1]
        return Started(tokens=tokens, rows=len(rows), prompt_tokens=7, image_tokens=4)

    def decode(self, token_ids: Sequence[int]) -> str:
        return "".join(map(chr, token_ids))


def png(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def question(text: str, *pictures: bytes, **more: Any) -> ChatRequest:
    """Of one user's turn; `more` are fields of the request."""
    images = tuple(ImageData(data=base64.b64encode(data).decode()) for data in pictures)
    message = ChatMessage(role=Role.USER, text=text, images=images)
    fields = {"id": "q", "document": "d", "messages": (message,), **more}
    return ChatRequest(**fields)


def finish(engine: VisionEngine, request: ChatRequest) -> tuple[str, End]:
    """The whole answer. Raises the GlmError that ended it."""
    engine.submit(request)
    text = ""
    while engine.busy:
        for _, outcome in engine.step():
            if isinstance(outcome, GlmError):
                raise outcome
            assert isinstance(outcome, Chunk)
            text += outcome.text
            if outcome.end is not None:
                return text, outcome.end
    raise AssertionError("the engine ended without an end")


def character_tokenizer() -> Tokenizer:
    vocabulary = {name: index for index, name in enumerate(("<pad>", "<s>", "</s>", "<unk>"))}
    for character in string.printable[:95] + "\n":
        vocabulary[character] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>", "<unk>"])
    return tokenizer


def write_tiny_cogvlm(folder: Path) -> None:
    """Random weights in the released layout."""
    folder.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {
        "vocab_size": 100,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,  # large enough that the picture matters
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "vision_config": {
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_heads": 2,
            "in_channels": 3,
            "patch_size": 8,
            "image_size": 16,
            "num_positions": 5,
        },
    }
    torch.manual_seed(0)
    model = CogVLMForCausalLM(CogVLMConfig(**fields))
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps({"model_type": "cogvlm", **fields}))
    character_tokenizer().save(str(folder / "tokenizer.json"))
