"""Teach the language part what kind of picture it sees, and measure it; the tower stays as it is.

`python -m recipes.nano_vision.kinds` starts from the weights that ship, trains the language expert
of the last layer (and the norm after it) on the question "Which kind?", writes those tensors into
the same file, all others to the bit as they were, so that nothing that is read changes, and
`results/kinds.json`: how often the answer is right on fresh pictures with fonts and a theme that no
training picture shows. `--measure` only measures.

Everything under the last layer is fixed, so each picture goes through it once; a step is then one
layer over a dozen tokens.

Shapes: B rows, V vision tokens, M tokens after them (bos, eoi, text), L = V + M, D hidden, H heads,
E head width.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageFont
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from glm_vision.drawn import words
from glm_vision.drawn.class_diagram import draw_classes
from glm_vision.drawn.flow_diagram import draw_flow
from glm_vision.drawn.scene import draw_scene
from glm_vision.drawn.screen_mockup import draw_screen
from glm_vision.drawn.sequence_diagram import draw_sequence
from glm_vision.drawn.text_page import THEMES, UNSEEN_THEME, Theme, draw_page, font_of
from glm_vision.drawn.value_chart import draw_chart
from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.rotary import Rotation, rotate, rotation
from glm_vision.reading_view import GRID, SIDE
from recipes.nano_code.export import write_weights
from recipes.nano_code.weights import read_weights
from recipes.nano_vision import fonts
from recipes.nano_vision.export import rounded
from recipes.nano_vision.fast_forward import logits_of, positions, visible
from recipes.nano_vision.network import build
from recipes.nano_vision.picture_sample import IGNORED, Packer, PictureSample, Turn
from recipes.nano_vision.text_lines import LineSource, read_code_lines
from recipes.nano_vision.tokenizer import MODEL

RESULTS = Path(__file__).parent / "results" / "kinds.json"
RATE, ROWS = 1e-3, 64
LEARNT = ("language_expert", "language_mlp", "model.norm.")
TEXT_TOKENS = 16


class KindPictures:
    """Draws pictures of every kind, equally often."""

    def __init__(
        self, files: list[Path], themes: tuple[Theme, ...], chooser: random.Random
    ) -> None:
        self.files, self.themes, self.chooser = files, themes, chooser
        self.lines = LineSource(read_code_lines(), chooser)
        self.draw: dict[str, Callable[[], Image.Image]] = {
            "code": self._page,
            "diagram": self._diagram,
            "chart": lambda: draw_chart(chooser, self._font()).picture,
            "screen": lambda: draw_screen(chooser, self._font()).picture,
            "shapes": lambda: draw_scene(chooser).picture,
        }

    def sample(self) -> tuple[str, PictureSample]:
        """The kind, and its picture with the one question."""
        kind = self.chooser.choice(words.KINDS)
        square = self.draw[kind]().resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        turn = Turn(question=words.KIND, answer=f" {kind}")
        return kind, PictureSample(picture=square, turns=(turn,))

    def _page(self) -> Image.Image:
        """One line to a screenful, sometimes on a wide window that is mostly empty."""
        count = self.chooser.choice((1, 2, 3, 5, 8, 13, 25, 38))
        text = tuple(self.lines.line() for _ in range(count))
        font = font_of(self.chooser.choice(self.files), self.chooser.randrange(11, 25))
        page = draw_page(
            text, font=font, theme=self.chooser.choice(self.themes), chooser=self.chooser
        )
        if self.chooser.random() < 0.4:
            size = (
                int(page.width * self.chooser.uniform(1, 2.2)),
                int(page.height * self.chooser.uniform(1, 2.5)),
            )
            window = Image.new("RGB", size, page.getpixel((0, 0)))
            window.paste(page, (0, 0))
            return window
        return page

    def _diagram(self) -> Image.Image:
        draw: Any = self.chooser.choice((draw_flow, draw_sequence, draw_classes))
        picture: Image.Image = draw(self.chooser, self._font()).picture
        return picture

    def _font(self) -> ImageFont.FreeTypeFont:
        return font_of(self.chooser.choice(self.files), self.chooser.randrange(11, 24))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Pictures at the door of the last layer, with what it should answer."""

    x_BMD: Tensor
    key_BHVE: Tensor
    value_BHVE: Tensor
    targets_BT: Tensor
    mask_11ML: Tensor
    turn: Rotation  # of the M tokens


def last_layer(model: CogVLMForCausalLM) -> Any:
    """Its own type, which a ModuleList does not know."""
    return model.model.layers[-1]


@torch.no_grad()
def look(model: CogVLMForCausalLM, samples: list[PictureSample], packer: Packer) -> Seen:
    """One pass through everything that is fixed."""
    layer, caught = last_layer(model), list[Tensor]()
    hook = layer.input_layernorm.register_forward_pre_hook(lambda _, given: caught.append(given[0]))
    try:
        batch = packer.batch(samples)
        logits_of(model, batch.pixels_B3SS, batch.tokens_BT, batch.segments_BT, batch.starts_BT)
    finally:
        hook.remove()
    x_BLD, V = caught[0], GRID * GRID + 1
    heads = model.config.num_attention_heads
    width = model.config.hidden_size // heads
    turn = rotation(
        positions(batch.starts_BT[:1], V),
        width=width,
        base=model.config.rope_theta,
        dtype=x_BLD.dtype,
    )
    fused = layer.self_attn.vision_expert_query_key_value(layer.input_layernorm(x_BLD[:, :V]))
    _, key, value = (
        part.reshape(*part.shape[:2], heads, width).transpose(1, 2) for part in fused.chunk(3, -1)
    )
    mask = visible(batch.segments_BT[:1], V)
    return Seen(
        x_BMD=x_BLD[:, V:],
        key_BHVE=rotate(key, (turn[0][:, :, :V], turn[1][:, :, :V])),
        value_BHVE=value,
        targets_BT=batch.targets_BT,
        mask_11ML=mask[:, :, V:],
        turn=(turn[0][:, :, V:], turn[1][:, :, V:]),
    )


def answer_logits(model: CogVLMForCausalLM, seen: Seen, rows: Tensor) -> Tensor:
    """(rows, T, vocabulary), by the last layer's language expert."""
    layer = last_layer(model)
    x_BMD = seen.x_BMD[rows]
    fused = layer.self_attn.language_expert_query_key_value(layer.input_layernorm(x_BMD))
    heads = model.config.num_attention_heads
    query, key, value = (
        part.reshape(*part.shape[:2], heads, -1).transpose(1, 2) for part in fused.chunk(3, -1)
    )
    context = F.scaled_dot_product_attention(
        rotate(query, seen.turn),
        torch.cat((seen.key_BHVE[rows], rotate(key, seen.turn)), dim=2),
        torch.cat((seen.value_BHVE[rows], value), dim=2),
        attn_mask=seen.mask_11ML,
    )
    x_BMD = x_BMD + layer.self_attn.language_expert_dense(context.transpose(1, 2).flatten(2))
    x_BMD = x_BMD + layer.mlp.language_mlp(layer.post_attention_layernorm(x_BMD))
    logits: Tensor = model.lm_head(model.model.norm(x_BMD[:, 2:]))
    return logits


def train(model: CogVLMForCausalLM, pictures: KindPictures, *, count: int, steps: int) -> float:
    """The loss of the last steps, in nats."""
    learnt = []
    for name, weight in model.named_parameters():
        last = f"layers.{model.config.num_hidden_layers - 1}." in name or "model.norm" in name
        weight.requires_grad_(last and any(part in name for part in LEARNT))
        learnt += [weight] if weight.requires_grad else []
    tokens = Packer(TEXT_TOKENS, GRID * GRID)
    packer = Packer(len(tokens.prompt(words.KIND)) + 1, GRID * GRID)
    parts = []
    for _ in range(0, count, ROWS):
        parts.append(look(model, [pictures.sample()[1] for _ in range(ROWS)], packer))
        print(f"{ROWS * len(parts)} pictures seen", flush=True)
    seen = Seen(
        x_BMD=torch.cat([part.x_BMD for part in parts]),
        key_BHVE=torch.cat([part.key_BHVE for part in parts]),
        value_BHVE=torch.cat([part.value_BHVE for part in parts]),
        targets_BT=torch.cat([part.targets_BT for part in parts]),
        mask_11ML=parts[0].mask_11ML,
        turn=parts[0].turn,
    )
    adam = torch.optim.AdamW(learnt, lr=RATE, betas=(0.9, 0.98), weight_decay=0.05)
    recent = [0.0]
    for step in range(steps):
        rows = torch.randint(len(seen.x_BMD), (ROWS,))
        logits = answer_logits(model, seen, rows)
        targets = seen.targets_BT[rows].flatten()
        loss = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORED)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        for group in adam.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 20) * max(0.02, 1 - step / steps)
        adam.step()
        adam.zero_grad(set_to_none=True)
        recent = [*recent[-19:], float(loss.detach())]
        if step % 40 == 39:
            print(f"step {step + 1}: {sum(recent) / len(recent):.4f} nats", flush=True)
    return sum(recent) / len(recent)


@torch.inference_mode()
def measure(model: CogVLMForCausalLM, pictures: KindPictures, count: int) -> dict[str, Any]:
    """Right answers by kind, and what the wrong ones were."""
    packer = Packer(TEXT_TOKENS, GRID * GRID)
    ids = [packer.tokenizer.token_to_id(f" {kind}") for kind in words.KINDS]
    at = len(packer.prompt(words.KIND)) - 1
    seen: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for _ in range(count):
        kind, sample = pictures.sample()
        batch = packer.batch([sample])
        text, _ = logits_of(
            model, batch.pixels_B3SS, batch.tokens_BT, batch.segments_BT, batch.starts_BT
        )
        said = words.KINDS[int(text[0, at, ids].argmax())]
        seen[kind] += 1
        if said != kind:
            wrong[f"{kind} as {said}"] += 1
    missed = Counter(kind for name, n in wrong.items() for kind in [name.split()[0]] * n)
    right = {kind: round(1 - missed[kind] / seen[kind], 4) for kind in words.KINDS if seen[kind]}
    return {
        "pictures": count,
        "right": round(1 - wrong.total() / count, 4),
        "by_kind": right,
        "wrong": dict(wrong),
    }


def main() -> None:
    """Train, write what was learnt, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1280)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--count", type=int, default=300, help="pictures to measure on")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build()
    missing, _ = model.load_state_dict(read_weights(MODEL), strict=False)
    assert set(missing) <= {"lm_head.weight"}, missing
    result: dict[str, Any] = {}
    if not arguments.measure:
        pictures = KindPictures(fonts.paths("train"), THEMES, random.Random(1))
        began = time.process_time()
        loss = train(model, pictures, count=arguments.pictures, steps=arguments.steps)
        result = {
            "trained_on": arguments.pictures,
            "steps": arguments.steps,
            "loss": round(loss, 4),
            "cpu_seconds": round(time.process_time() - began),
        }
        state = {n: w.detach() for n, w in model.named_parameters() if w.requires_grad}
        write_weights(load_file(MODEL / "model.safetensors") | rounded(state), MODEL)
        model.load_state_dict(read_weights(MODEL), strict=False)
    elif RESULTS.is_file():
        result = json.loads(RESULTS.read_text(encoding="utf-8"))
    fresh = KindPictures(fonts.paths("held-out"), (*THEMES, UNSEEN_THEME), random.Random(7))
    result |= measure(model, fresh, arguments.count)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
