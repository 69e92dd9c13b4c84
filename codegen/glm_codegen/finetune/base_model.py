"""The model that is fine-tuned: its folder, tokenizer, prompt format, and what fits into it."""

from __future__ import annotations

from dataclasses import dataclass

from glm_codegen.finetune.train_plan import TrainPlan
from glm_codegen.finetune.trainable import Trainable, build_trainable
from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.prompt_format import PromptFormat
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.errors import Unsupported
from glm_protocol.folders import Folders
from glm_runtime.adapter import fingerprint
from glm_runtime.checkpoint import Checkpoint, open_checkpoint
from glm_runtime.device import Placement, TorchAccelerator, choose_placement
from glm_runtime.hub_cache import cached_folder
from glm_runtime.model_registry import ModelRegistry

LONGEST_BLOCK = 2048
END_TOKENS = ("<|endoftext|>", "</s>", "<|im_end|>", "<eop>")


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """`length` is what a block may hold; `end_token` is what answers end with."""

    name: str
    fingerprint: str
    checkpoint: Checkpoint
    placement: Placement
    tokenizer: TextTokenizer
    prompt_format: PromptFormat
    length: int
    end_token: int
    pad: int

    @property
    def parameters(self) -> int:
        return self.checkpoint.parameters

    def trainable(self, plan: TrainPlan) -> Trainable:
        """Fresh matrices on the frozen base. Raises ModelUnusable."""
        return build_trainable(self.checkpoint, self.placement, plan)


def open_base(
    folders: Folders, model: str | None, *, device: str | None = None, dtype: str | None = None
) -> BaseModel:
    """Raises ModelUnknown, ModelUnusable, or Unsupported for a model that cannot be told to end."""
    spec = ModelRegistry(folders.registry).resolve(model)
    placement = choose_placement(device=device, dtype=dtype, accelerator=TorchAccelerator())
    checkpoint = open_checkpoint(spec.folder or cached_folder(spec.source))
    tokenizer = TextTokenizer.from_folder(checkpoint.folder)
    config = checkpoint.config.fields
    ids = config.get("eos_token_id")
    own = ids[0] if isinstance(ids, list) and ids else ids
    named = (tokenizer.control_id(name) for name in END_TOKENS)
    end = next((token for token in named if token is not None), own)
    if not isinstance(end, int):
        raise Unsupported(
            f"The model {spec.name} has no token that ends an answer; it would never stop.",
            remedy="Choose a model with an end token, such as nano-code.",
        )
    pad = config.get("pad_token_id")
    positions = checkpoint.config.trained_length or config.get("max_position_embeddings") or 512
    return BaseModel(
        name=spec.name,
        fingerprint=fingerprint(checkpoint.folder),
        checkpoint=checkpoint,
        placement=placement,
        tokenizer=tokenizer,
        prompt_format=choose_format(tokenizer, checkpoint.config.model_type),
        length=min(LONGEST_BLOCK, int(positions)),
        end_token=end,
        pad=pad if isinstance(pad, int) else end,
    )
