"""The training loop of nano-translate: one process of one thread, from nano-code's weights.

`python -m recipes.nano_translate.train --minutes 60 [--resume | --init-from FOLDER_OR_CHECKPOINT]`.
Pairs are generated while it trains, so no program is seen twice. The clock rules the rate
(`recipes/nano_code/schedule.py`); out/nano_translate/minutes may be rewritten while it runs.
Short programs come first. SIGTERM saves and leaves.
"""

from __future__ import annotations

import argparse
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.translation.nano_format import NanoTranslateFormat
from recipes.nano_code import checkpoint
from recipes.nano_code.checkpoint import Progress
from recipes.nano_code.model import NanoConfig, NanoGlm
from recipes.nano_code.muon import Muon
from recipes.nano_code.schedule import Horizon, rate_factor
from recipes.nano_code.tokenizer import MODEL as NANO_CODE
from recipes.nano_code.weights import read_weights
from recipes.nano_translate.network import answer_loss, hidden
from recipes.nano_translate.rows import Packer, pairs

RUN = Path(__file__).parents[1] / "out" / "nano_translate"
MUON_RATE, ADAM_RATE, CLIP = 0.02, 3e-3, 1.0
LOG_EVERY, SAVE_EVERY_S, VALIDATE_EVERY_S = 20, 120.0, 240.0
# Words whose vectors the placeholders start with: common names, which nano-code copies already.
_WORDS = [
    "value",
    "name",
    "result",
    "index",
    "item",
    "key",
    "data",
    "count",
    "size",
    "list",
    "path",
    "text",
    "line",
    "node",
    "start",
    "end",
    "type",
    "args",
    "file",
    "error",
    "message",
    "length",
    "offset",
    "width",
    "height",
    "buffer",
    "index",
    "string",
    "number",
    "left",
    "right",
    "state",
    "token",
    "config",
    "prefix",
    "suffix",
    "source",
    "target",
    "parent",
    "child",
    "first",
    "last",
    "object",
]


@dataclass(kw_only=True)
class Stop:
    """Set by a signal; the loop looks at it between steps."""

    asked: bool = False

    def ask(self, *_: object) -> None:
        """Signal handler."""
        self.asked = True


@torch.no_grad()
def start_placeholders(model: NanoGlm, tokenizer: TextTokenizer) -> None:
    """Give every placeholder the vector of a common name."""
    ids = [ids[0] for word in _WORDS if len(ids := tokenizer.encode(" " + word)) == 1]
    weight = model.model.embed_tokens.weight
    number = 0
    while (token := tokenizer.control_id(f"<|reserved_{number}|>")) is not None:
        weight[token] = weight[ids[number % len(ids)]]
        weight[token] += 0.1 * weight[token].std() * torch.randn_like(weight[token])
        number += 1


def starting_weights(path: Path) -> dict[str, Tensor]:
    """Weights of a model folder or of a checkpoint."""
    if path.is_dir():
        return read_weights(path)
    tensors, _ = checkpoint.load(path)
    return {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}


class Exactness:
    """Share of held-out answers of which every token is the likeliest: greedy exact match."""

    def __init__(self, form: NanoTranslateFormat, count: int = 96) -> None:
        """A fixed set of held-out pairs."""
        source = pairs(77, form, (3, 5, 2), testing=True)
        self._pairs = [next(source) for _ in range(count)]

    @torch.no_grad()
    def of(self, model: NanoGlm) -> tuple[float, float]:
        """Exact share and mean loss a token."""
        exact, losses, tokens = 0, 0.0, 0
        for pair in self._pairs:
            ids, learnt = torch.tensor([pair.ids]), torch.tensor(pair.learnt)[1:]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                x = hidden(model, ids, torch.ones_like(ids))[0, :-1][learnt]
                logits = torch.nn.functional.linear(x, model.model.embed_tokens.weight).float()
            answer = ids[0, 1:][learnt]
            exact += bool((logits.argmax(-1) == answer).all())
            losses += float(torch.nn.functional.cross_entropy(logits, answer, reduction="sum"))
            tokens += len(answer)
        return exact / len(self._pairs), losses / tokens


class Learner:
    """Weights with their optimisers."""

    def __init__(self, model: NanoGlm) -> None:
        """Muon for matrices, AdamW for the embedding, norms and biases."""
        self.model = model
        named = list(model.named_parameters())
        self.muon = Muon([(n, p) for n, p in named if p.ndim == 2 and "embed" not in n])
        self.others = [(n, p) for n, p in named if p.ndim != 2 or "embed" in n]
        self.adam = torch.optim.AdamW(
            [p for _, p in self.others], lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0
        )

    def step(self, factor: float) -> None:
        """One update from the gradients, which are cleared."""
        self.muon.step(MUON_RATE * factor)
        torch.nn.utils.clip_grad_norm_([p for _, p in self.others], CLIP)
        self.adam.param_groups[0]["lr"] = ADAM_RATE * factor
        self.adam.step()
        for parameter in self.model.parameters():
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs."""
        found = dict(self.model.state_dict()) | self.muon.state()
        for name, parameter in self.others:
            for key, value in self.adam.state.get(parameter, {}).items():
                found[f"adam.{key}.{name}"] = value
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `tensors` gave."""
        self.model.load_state_dict({n: t for n, t in tensors.items() if n.startswith("model.")})
        self.muon.load(tensors)
        for name, parameter in self.others:
            self.adam.state[parameter] = {
                key: tensors[f"adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }


def main() -> None:
    """Set the run up and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, required=True, help="over all resumes")
    parser.add_argument("--peak", type=float, default=1.0, help="of the rate; less when going on")
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--length", type=int, default=384)
    parser.add_argument("--sizes", type=float, nargs=3, default=(4, 4, 1))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init-from", type=Path, default=NANO_CODE)
    parser.add_argument("--continued", action="store_true", help="--init-from knows placeholders")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = TextTokenizer.from_folder(NANO_CODE)
    form = NanoTranslateFormat(tokenizer)
    pad = tokenizer.control_id("<|pad|>")
    assert pad is not None
    horizon = Horizon(path=RUN / "minutes")
    horizon.set(arguments.minutes)
    learner, progress = Learner(NanoGlm(NanoConfig())), Progress(length=arguments.length)
    if arguments.resume:
        tensors, progress = checkpoint.load(RUN / "checkpoint.safetensors")
        learner.load(tensors)
    else:
        learner.model.load_state_dict(starting_weights(arguments.init_from))
        if not arguments.continued:
            start_placeholders(learner.model, tokenizer)
    train(learner, progress, form, pad, arguments.rows, arguments.length, tuple(arguments.sizes),
          horizon, arguments.compile, arguments.peak)  # fmt: skip


def train(
    learner: Learner, progress: Progress, form: NanoTranslateFormat, pad: int, rows: int,
    length: int, sizes: tuple[float, float, float], horizon: Horizon, compiled: bool,
    peak: float,
) -> None:  # fmt: skip
    """Run to the horizon or a signal; saves along the way and at the end."""
    stop = Stop()
    signal.signal(signal.SIGTERM, stop.ask)
    signal.signal(signal.SIGINT, stop.ask)
    packer = Packer(pairs(1000 + progress.step, form, sizes), rows=rows, length=length, pad=pad)
    exactness, model = Exactness(form), learner.model

    def loss_of(*batch: Tensor) -> Tensor:
        return answer_loss(model, *batch)

    run = torch.compile(loss_of) if compiled else loss_of
    began = time.monotonic() - progress.elapsed_s
    saved = validated = time.monotonic()
    losses: list[float] = []
    while True:
        elapsed, total = time.monotonic() - began, horizon.seconds()
        if stop.asked or elapsed >= total:
            break
        factor = peak * rate_factor(step=progress.step, elapsed_s=elapsed, total_s=total)
        batch = packer.batch()
        loss = run(batch.tokens_BT, batch.pair_BT, batch.places_K, batch.targets_K, batch.weights_K)
        loss.backward()
        learner.step(factor)
        losses.append(float(loss.detach()))
        progress = replace(
            progress, step=progress.step + 1, tokens=progress.tokens + rows * length,
            elapsed_s=time.monotonic() - began,
        )  # fmt: skip
        if progress.step % LOG_EVERY == 0:
            note = ""
            if time.monotonic() - validated > VALIDATE_EVERY_S:
                exact, held_out = exactness.of(model)
                note, validated = f"held-out {held_out:.4f} exact {exact:.3f}", time.monotonic()
            mean, losses = sum(losses) / len(losses), []
            line = f"{progress.step},{progress.tokens},{progress.elapsed_s:.0f},{mean:.4f},{note}"
            with (RUN / "curve.csv").open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
            print(f"step {progress.step} tokens {progress.tokens} {progress.elapsed_s:.0f} s "
                  f"loss {mean:.3f} rate {factor:.3f} {note}", flush=True)  # fmt: skip
        if time.monotonic() - saved > SAVE_EVERY_S:
            checkpoint.save(RUN / "checkpoint.safetensors", learner.tensors(), progress)
            saved = time.monotonic()
    checkpoint.save(RUN / "checkpoint.safetensors", learner.tensors(), progress)
    exact, held_out = exactness.of(model)
    print(f"done: {progress}; held-out loss {held_out:.4f}, exact {exact:.3f}", flush=True)


if __name__ == "__main__":
    main()
