"""Trains nano-image's tokenizer: CogView's VQ-VAE at small size, on one core.

    python -m recipes.nano_image.tokenizer_training --minutes 25 [--resume]

Writes `out/nano_image/tokenizer/checkpoint.safetensors` (resumable; SIGTERM saves and leaves) and
`results/tokenizer.csv`: step, seconds, loss, PSNR of held-out icons in dB, share of codes used.
"""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path

import torch

from glm_t2i.models.pixels import to_pixels
from glm_t2i.models.vqvae import VqVae, VqVaeConfig
from recipes.nano_code.checkpoint import Progress, load, save
from recipes.nano_code.schedule import Horizon, rate_factor
from recipes.nano_image.code_book import CodeBookTraining
from recipes.nano_image.icons import OUT
from recipes.nano_image.picture_batches import PictureBatches

CONFIG = VqVaeConfig(
    channel=128, n_res_block=2, n_res_channel=96, embed_dim=32, n_embed=1024, simple=False
)
RUN = OUT / "tokenizer"
RESULTS = Path(__file__).parent / "results"
ROWS = 16
RATE = 2e-3
COMMITMENT = 0.25
PLAIN_STEPS = 150  # before the code book is put in
REVIVE_EVERY = 20
LOOK_EVERY = 250


def psnr(model: VqVae, images: torch.Tensor) -> tuple[float, float]:
    """(mean PSNR in dB over pictures, clamped to 0..1; share of codes used)."""
    with torch.no_grad():
        codes = torch.cat([model.encode(part) for part in images.split(16)])
        pixels = torch.cat([model.decode_pixels(part).clamp(0, 1) for part in codes.split(16)])
    error = (pixels - to_pixels(images)).square().flatten(1).mean(dim=1)
    return float((-10 * error.log10()).mean()), len(codes.unique()) / model.config.n_embed


def main() -> None:
    """Train until the horizon, or until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--resume", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(8)
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    horizon = Horizon(path=RUN / "minutes")
    horizon.set(asked.minutes)
    model = VqVae(CONFIG).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    progress = Progress()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=1e-4)
    if asked.resume:
        tensors, progress = load(RUN / "checkpoint.safetensors")
        model.load_state_dict(tensors)
    book = CodeBookTraining(model.quantize_t, torch.Generator().manual_seed(progress.step))
    batches = PictureBatches(size=ROWS, seed=progress.step)
    held_out = batches.held_out(96)
    RESULTS.mkdir(exist_ok=True)
    step, elapsed, losses = progress.step, progress.elapsed_s, []
    before = time.monotonic()
    while elapsed < horizon.seconds() and not stop:
        images = batches.next()
        factor = rate_factor(step=step, elapsed_s=elapsed, total_s=horizon.seconds())
        for group in optimiser.param_groups:
            group["lr"] = RATE * factor
        with torch.autocast("cpu", torch.bfloat16):
            features = model.enc_b(images).float().permute(0, 2, 3, 1)
        flat = features.reshape(-1, CONFIG.embed_dim)
        commitment = torch.zeros(())
        if step == PLAIN_STEPS:
            book.start(flat.detach())
        if step >= PLAIN_STEPS:
            codes, through, commitment = book.quantise(flat)
            book.update(flat.detach(), codes)
            if step % REVIVE_EVERY == 0 and factor > 0.3:
                book.revive(flat.detach())
            features = through.view(features.shape)
        with torch.autocast("cpu", torch.bfloat16):
            drawn = model.dec(features.permute(0, 3, 1, 2)).float()
        loss = (drawn - images).square().mean()
        (loss + COMMITMENT * commitment).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(float(loss))
        step += 1
        now = time.monotonic()
        elapsed, before = elapsed + now - before, now
        if step % LOOK_EVERY == 0:
            decibel, used = psnr(model, held_out)
            mean = sum(losses) / len(losses)
            losses.clear()
            line = f"{step},{elapsed:.0f},{mean:.5f},{decibel:.2f},{used:.3f}"
            print(line, int((book.book.cluster_size > 0.05).sum()), book.revived, flush=True)
            with (RESULTS / "tokenizer.csv").open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        if step % (4 * LOOK_EVERY) == 0:
            _save(model, step, elapsed)
    _save(model, step, elapsed)


def _save(model: VqVae, step: int, elapsed: float) -> None:
    progress = Progress(step=step, rows=step * ROWS, elapsed_s=elapsed)
    save(RUN / "checkpoint.safetensors", model.state_dict(), progress)


if __name__ == "__main__":
    main()
