"""A checkpoint or model folder that answers a context; for measuring, not for serving.

The prompt is rendered by the serving code; decoding is plain greedy batches through
transformers in bf16, without the engine's cache, healing or deadlines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import GlmConfig, GlmForCausalLM

from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode
from recipes.nano_code import checkpoint
from recipes.nano_code.tokenizer import MODEL
from recipes.nano_code.weights import read_weights

NEW_TOKENS = {CompletionMode.LINE: 40, CompletionMode.BLOCK: 96}


class Completer:
    """One set of weights with its tokenizer and prompt format."""

    def __init__(self, folder: Path = MODEL, weights: Path | None = None) -> None:
        """Read a model folder; `weights` names a checkpoint to use instead of its weights."""
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._length = int(config["glm_trained_length"])
        kept = {key: value for key, value in config.items() if not key.startswith("glm_")}
        self.network = GlmForCausalLM(GlmConfig(**kept | {"dtype": "float32"})).bfloat16()
        self.network.train(False)
        state = checkpoint.load(weights)[0] if weights else read_weights(folder)
        state = {name: tensor for name, tensor in state.items() if name.startswith("model.")}
        self.network.load_state_dict(state, strict=False)
        self.network.tie_weights()
        self.tokenizer = TextTokenizer.from_folder(folder)
        self._format = choose_format(self.tokenizer)
        self._pad = int(config["pad_token_id"])

    def prompt(self, context: CodeContext, mode: CompletionMode, new_tokens: int) -> Prompt:
        """The prompt that leaves room for so many tokens."""
        return self._format.render(context, mode=mode, token_budget=self._length - new_tokens)

    @torch.no_grad()
    def complete_many(self, contexts: Sequence[CodeContext], mode: CompletionMode) -> list[str]:
        """Greedy completion of each context, all in one batch padded at the left."""
        new = NEW_TOKENS[mode]
        prompts = [self.prompt(context, mode, new) for context in contexts]
        width = max(len(prompt.token_ids) for prompt in prompts)
        ids = torch.full((len(prompts), width), self._pad)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt.token_ids) :] = torch.tensor(prompt.token_ids)
        made = self.network.generate(  # type: ignore[misc]
            input_ids=ids,
            attention_mask=(ids != self._pad).long(),
            max_new_tokens=new,
            do_sample=False,
            eos_token_id=sorted(prompts[0].stop_ids),
            pad_token_id=self._pad,
        )
        texts = []
        for row, prompt in enumerate(prompts):
            answer = made[row, width:].tolist()
            stops = [at for at, token in enumerate(answer) if token in prompt.stop_ids]
            text = self.tokenizer.decode(answer[: stops[0]] if stops else answer)
            for stop in prompt.stop_texts:
                text = text.split(stop, 1)[0]
            texts.append(text)
        return texts

    def complete(self, context: CodeContext, mode: CompletionMode = CompletionMode.LINE) -> str:
        """Greedy completion of one context."""
        return self.complete_many([context], mode)[0]
