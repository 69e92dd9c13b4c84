"""Teach the language part what kind of picture it sees, and measure it; the tower stays as it is.

`python -m recipes.nano_vision.kinds --minutes 10` starts from the weights that ship, trains the
language layers alone on the question "Which kind?", writes those tensors into the same file (all
others stay to the bit, so nothing that is read changes) and `results/kinds.json`: how often the
answer is right on fresh pictures with fonts and a theme that no training picture shows.
`--measure` only measures.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageFont
from safetensors.torch import load_file
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
from glm_vision.reading_view import GRID, SIDE
from recipes.nano_code.export import write_weights
from recipes.nano_code.weights import read_weights
from recipes.nano_vision import fonts
from recipes.nano_vision.export import rounded
from recipes.nano_vision.fast_forward import logits_of
from recipes.nano_vision.network import build
from recipes.nano_vision.picture_sample import IGNORED, Packer, PictureSample, Turn
from recipes.nano_vision.text_lines import LineSource, read_code_lines
from recipes.nano_vision.tokenizer import MODEL

RESULTS = Path(__file__).parent / "results" / "kinds.json"
RATE, ROWS, TEXT_TOKENS = 1e-3, 16, 16
LANGUAGE = ("model.layers.", "model.norm.")


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


def train(model: CogVLMForCausalLM, pictures: KindPictures, minutes: float) -> tuple[int, float]:
    """Steps taken, and the loss of the last twenty, in nats."""
    named = dict(model.named_parameters())
    for name, weight in named.items():
        weight.requires_grad_(name.startswith(LANGUAGE))
    learnt = [weight for weight in named.values() if weight.requires_grad]
    adam = torch.optim.AdamW(learnt, lr=RATE, betas=(0.9, 0.95), weight_decay=0.01)
    packer = Packer(TEXT_TOKENS, GRID * GRID)
    began, step, recent = time.monotonic(), 0, [0.0]
    while (share := (time.monotonic() - began) / (60 * minutes)) < 1:
        batch = packer.batch([pictures.sample()[1] for _ in range(ROWS)])
        text, _ = logits_of(
            model, batch.pixels_B3SS, batch.tokens_BT, batch.segments_BT, batch.starts_BT
        )
        loss = F.cross_entropy(text.flatten(0, 1), batch.targets_BT.flatten(), ignore_index=IGNORED)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        for group in adam.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 20) * max(0.05, 1 - share)
        adam.step()
        adam.zero_grad(set_to_none=True)
        step += 1
        recent = [*recent[-19:], float(loss.detach())]
        if step % 20 == 0:
            print(f"step {step}: {sum(recent) / len(recent):.3f} nats", flush=True)
    return step, sum(recent) / len(recent)


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
    """Train, write the language layers, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--count", type=int, default=300)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build()
    missing, _ = model.load_state_dict(read_weights(MODEL), strict=False)
    assert set(missing) <= {"lm_head.weight"}, missing
    result: dict[str, Any] = {}
    if not arguments.measure:
        seen = KindPictures(fonts.paths("train"), THEMES, random.Random(1))
        result["steps"], result["loss"] = train(model, seen, arguments.minutes)
        result["minutes"] = arguments.minutes
        state = {n: t for n, t in model.state_dict().items() if n.startswith(LANGUAGE)}
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
