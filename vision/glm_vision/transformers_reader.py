"""Any vision model that transformers itself can load, behind the engine's interface.

What the model can do is asked of its processor: one without an image processor is blind. Image
tokens are counted by the processor too, after it has resized the pictures as it likes. No code
of the folder runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    ProcessorMixin,
)
from transformers.utils.import_utils import is_torchvision_available

from glm_protocol.errors import ModelUnusable, PromptTooLong, Unsupported
from glm_runtime.weight_files import weight_files
from glm_vision.token_stream import Sampling, TokenStream
from glm_vision.vision_model import Started, Turn

PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
UNKNOWN_LENGTH = 4096  # tokens, where the config names no positions


class TransformersReader:
    """A processor and its model."""

    taught = ""
    cell_reader = None

    def __init__(self, processor: Any, model: Any) -> None:
        self.processor = processor
        self.model = model
        self.tokenizer = getattr(processor, "tokenizer", processor)

    @property
    def sees(self) -> bool:
        return getattr(self.processor, "image_processor", None) is not None

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = self.model.dtype
        return found

    @property
    def context_length(self) -> int:
        config = self.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or UNKNOWN_LENGTH)

    @property
    def stop_ids(self) -> frozenset[int]:
        stops = self.model.generation_config.eos_token_id
        if stops is None:
            stops = self.tokenizer.eos_token_id
        many = stops if isinstance(stops, list) else [stops]
        return frozenset(stop for stop in many if stop is not None)

    def start(self, rows: Sequence[Sequence[Turn]], sampling: Sampling) -> Started:
        if not self.sees and any(turn.pictures for row in rows for turn in row):
            raise Unsupported("This model's processor takes no pictures: it is blind.")
        chats = [[_message(turn, plain=not self.sees) for turn in row] for row in rows]
        try:
            inputs = self.processor.apply_chat_template(
                chats if len(chats) > 1 else chats[0],
                tokenize=True,
                add_generation_prompt=True,
                return_dict=True,
                return_tensors="pt",
                **({"padding": True} if len(chats) > 1 else {}),
            )
        except (ValueError, TypeError, KeyError, ImportError) as error:
            raise Unsupported(
                f"The model's processor does not take this chat ({type(error).__name__})."
            ) from error
        length = inputs["input_ids"].shape[1]
        if length >= self.context_length:
            raise PromptTooLong(
                f"The prompt takes {length} tokens, the model has {self.context_length}.",
                remedy="Send smaller or fewer pictures.",
            )
        return Started(
            tokens=TokenStream(self.model, self._placed(inputs), sampling),
            rows=len(chats),
            prompt_tokens=int(inputs["input_ids"].numel()),
            image_tokens=self._image_tokens(inputs["input_ids"]),
        )

    def decode(self, token_ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(token_ids), skip_special_tokens=True)
        return text

    def _placed(self, inputs: Any) -> dict[str, Any]:
        """Tensors on the model's device; what `forward` cannot take is left out."""
        placed: dict[str, Any] = {}
        for name, value in inputs.items():
            if not isinstance(value, torch.Tensor):
                continue
            dtype = self.model.dtype if value.is_floating_point() else None
            placed[name] = value.to(device=self.model.device, dtype=dtype)
        return placed

    def _image_tokens(self, ids: torch.Tensor) -> int:
        config = self.model.config
        for name in ("image_token_id", "image_token_index"):
            token = getattr(config, name, None)
            if token is not None:
                return int((ids == token).sum())
        return 0


def _message(turn: Turn, *, plain: bool) -> dict[str, Any]:
    """`plain`: as tokenizers' templates take it."""
    if plain:
        return {"role": turn.role, "content": turn.text}
    pictures = [{"type": "image", "image": picture} for picture in turn.pictures]
    return {"role": turn.role, "content": [*pictures, {"type": "text", "text": turn.text}]}


def read_folder(folder: Path, *, device: str, dtype: torch.dtype) -> TransformersReader:
    """Raises ModelUnusable, naming what is wrong with the folder."""
    weight_files(folder)  # refuses pickles and torn folders with a sentence
    try:
        # Without its file a model has no image processor: what is left of it can be talked to.
        blind = not any((folder / name).is_file() for name in PROCESSOR_FILES)
        processor = _load(AutoTokenizer, folder) if blind else _processor(folder)
        model: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=dtype,
        )
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError) as error:
        raise ModelUnusable(
            f"{folder} cannot be loaded as a vision model: {' '.join(str(error).split())[:300]}."
        ) from error
    return TransformersReader(processor, model.to(device).eval())


def _load(reader: Any, folder: Path) -> Any:
    return reader.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _processor(folder: Path) -> Any:
    """Those of Qwen-VL and GLM-V want a part for films, which wants torchvision; where that is
    missing the part is left out, since pictures need none of it."""
    kind = processor_class(folder)
    if is_torchvision_available() or "video_processor" not in kind.get_attributes():
        return _load(AutoProcessor, folder)

    class PicturesOnly(kind):  # type: ignore[misc, valid-type]
        def check_argument_for_proper_class(self, name: str, given: Any) -> Any:
            return None if given is None else super().check_argument_for_proper_class(name, given)

    tokenizer = _load(AutoTokenizer, folder)
    return PicturesOnly(
        image_processor=_load(AutoImageProcessor, folder),
        tokenizer=tokenizer,
        video_processor=None,
        chat_template=tokenizer.chat_template,
    )


def processor_class(folder: Path) -> Any:
    """That the folder names, of transformers' own; `ProcessorMixin` where it names none."""
    for file in (*PROCESSOR_FILES, "tokenizer_config.json"):
        try:
            name = json.loads((folder / file).read_text(encoding="utf-8")).get("processor_class")
        except (OSError, ValueError, AttributeError):
            continue
        found = getattr(transformers, name, None) if isinstance(name, str) else None
        if isinstance(found, type) and issubclass(found, ProcessorMixin):
            return found
    return ProcessorMixin
