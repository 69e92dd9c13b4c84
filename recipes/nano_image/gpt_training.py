"""Trains nano-image's GPT, CogView at small size, over the codes of the trained tokenizer.

    python -m recipes.nano_image.gpt_training [--resume | --init-from models/nano-image]

Writes `out/nano_image/gpt/checkpoint.safetensors` (resumable; SIGTERM saves and leaves) and
`results/gpt.csv`: step, seconds, pictures seen, loss of codes, loss of captions (nats each).
Matrices by Muon, the rest by AdamW; the network is glm_t2i's own, its attention computed by
torch's fused kernel, which gives the same numbers faster where no cache is kept.
"""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from glm_t2i import load_model
from glm_t2i.models.cogview import CogView
from glm_t2i.models.transformer import SelfAttention, TransformerConfig
from glm_t2i.models.vqvae import VqVae
from glm_t2i.nano_layout import NanoLayout
from glm_t2i.pipelines.vocabulary import CogViewIds
from recipes.nano_code.checkpoint import Progress, load, save
from recipes.nano_code.muon import Muon
from recipes.nano_code.schedule import Horizon, rate_factor
from recipes.nano_image.captions import MODEL, PIECES
from recipes.nano_image.icons import OUT
from recipes.nano_image.rows import LENGTH, RowMaker, Rows
from recipes.nano_image.tokenizer_training import CONFIG as TOKENIZER_CONFIG
from recipes.nano_image.tokenizer_training import RESULTS
from recipes.nano_image.tokenizer_training import RUN as TOKENIZER_RUN

LAYOUT = NanoLayout(ids=CogViewIds(image_tokens=TOKENIZER_CONFIG.n_embed, text_tokens=PIECES))
CONFIG = TransformerConfig(
    num_layers=6, hidden_size=192, num_attention_heads=6, vocab_size=2176,
    max_sequence_length=LAYOUT.positions, num_image_tokens=TOKENIZER_CONFIG.n_embed,
)  # fmt: skip
RUN = OUT / "gpt"
ROWS = 8
DECAY_SHARE = 0.2  # of the time, at its end; more where a run that had ended goes on
MUON_RATE, ADAM_RATE = 0.02, 3e-3
LOOK_EVERY = 50


def trained_tokenizer() -> VqVae:
    """The VQ-VAE of the recipe's own run."""
    model = VqVae(TOKENIZER_CONFIG)
    model.load_state_dict(load(TOKENIZER_RUN / "checkpoint.safetensors")[0])
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def new_network() -> CogView:
    """Small random weights; projections into the stream smaller by depth."""
    model = CogView(CONFIG)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            deep = name.endswith(("attention.dense.weight", "dense_4h_to_h.weight"))
            shrink = (2 * CONFIG.num_layers) ** -0.5 if deep else 1.0
            nn.init.normal_(parameter, std=0.02 * shrink)
    return model


def logits(model: CogView, ids_BT: torch.Tensor, positions_BT: torch.Tensor) -> torch.Tensor:
    """[B, T, V], by the fused causal kernel."""

    def attend(_: int, attention: SelfAttention, x_BTE: torch.Tensor) -> torch.Tensor:
        q, k, v = attention.project(x_BTE)
        return attention.join(F.scaled_dot_product_attention(q, k, v, is_causal=True))

    x_BTE = model.word_embeddings(ids_BT) + model.transformer.position_embeddings(positions_BT)
    normed_BTE, _ = model.transformer.run(x_BTE, attend)
    return F.linear(normed_BTE, model.word_embeddings.weight)


def losses(logits_BTV: torch.Tensor, rows: Rows) -> tuple[torch.Tensor, float, float]:
    """(what is minimised, mean loss of codes, mean loss of captions)."""
    targets, weights = rows.ids[:, 1:].flatten(), rows.weights[:, 1:].flatten()
    each = F.cross_entropy(logits_BTV[:, :-1].flatten(0, 1).float(), targets, reduction="none")
    loss = (each * weights).sum() / weights.sum()
    seen = each.detach()
    code = targets < CONFIG.num_image_tokens
    caption = (weights == 1) & ~code
    return loss, float(seen[code].mean()), float(seen[caption].mean()) if caption.any() else 0.0


class Training:
    """The network, its two optimisers and how far they have come."""

    def __init__(self, *, resume: bool, init_from: Path | None) -> None:
        self.model = new_network()
        self.progress = Progress(length=LENGTH)
        if init_from is not None:
            given = load_model(init_from / "model.safetensors", init_from / "config.json")
            self.model.load_state_dict(given.float().state_dict())
        matrices = [
            (name, parameter)
            for name, parameter in self.model.named_parameters()
            if parameter.ndim == 2 and "embeddings" not in name
        ]
        names = {name for name, _ in matrices}
        rest = [p for name, p in self.model.named_parameters() if name not in names]
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)
        if resume:
            tensors, self.progress = load(RUN / "checkpoint.safetensors")
            own = self.model.state_dict()
            self.model.load_state_dict({name: tensors[name] for name in own})
            self.muon.load(tensors)

    def step(self, loss: torch.Tensor, factor: float) -> None:
        loss.backward()
        nn.utils.clip_grad_norm_(self.adam.param_groups[0]["params"], 1.0)
        for group in self.adam.param_groups:
            group["lr"] = ADAM_RATE * factor
        self.adam.step()
        self.muon.step(MUON_RATE * factor)
        self.model.zero_grad(set_to_none=True)

    def save(self, step: int, rows: int, elapsed: float) -> None:
        progress = Progress(step=step, rows=rows, elapsed_s=elapsed, length=LENGTH)
        save(RUN / "checkpoint.safetensors", self.model.state_dict() | self.muon.state(), progress)


def main() -> None:
    """Train until the horizon, or until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init-from", type=Path)
    parser.add_argument("--rate", type=float, default=1.0, help="share of the learning rates")
    parser.add_argument("--decay-share", type=float, default=DECAY_SHARE)
    parser.add_argument("--no-compile", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(8)
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    horizon = Horizon(path=RUN / "minutes")
    horizon.set(asked.minutes)
    training = Training(resume=asked.resume, init_from=asked.init_from)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    step, seen_rows = training.progress.step, training.progress.rows
    elapsed = training.progress.elapsed_s
    maker = RowMaker(trained_tokenizer(), tokenizer, LAYOUT, seed=1000 + step)
    compute = logits if asked.no_compile else torch.compile(logits)
    RESULTS.mkdir(exist_ok=True)
    seen: list[tuple[float, float]] = []
    before = time.monotonic()
    while elapsed < horizon.seconds() and not stop:
        rows = maker.next(ROWS)
        with torch.autocast("cpu", torch.bfloat16):
            out = compute(training.model, rows.ids, rows.positions)
        loss, codes, captions = losses(out, rows)
        factor = asked.rate * rate_factor(
            step=step, elapsed_s=elapsed, total_s=horizon.seconds(), decay_share=asked.decay_share
        )
        training.step(loss, factor)
        seen.append((codes, captions))
        step, seen_rows = step + 1, seen_rows + ROWS
        now = time.monotonic()
        elapsed, before = elapsed + now - before, now
        if step % LOOK_EVERY == 0:
            code_loss, caption_loss = (
                sum(column) / len(seen) for column in zip(*seen, strict=True)
            )
            seen.clear()
            line = f"{step},{elapsed:.0f},{seen_rows},{code_loss:.4f},{caption_loss:.4f}"
            print(line, flush=True)
            with (RESULTS / "gpt.csv").open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        if step % (4 * LOOK_EVERY) == 0:
            training.save(step, seen_rows, elapsed)
    training.save(step, seen_rows, elapsed)


if __name__ == "__main__":
    main()
