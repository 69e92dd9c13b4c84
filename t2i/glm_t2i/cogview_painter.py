"""CogView as a painter: the bundled nano-image, and released CogView in the same folder layout.

    config.json, model.safetensors         the GPT; `image_position` in the config: `NanoLayout`
    vqvae/config.json, model.safetensors   the image tokenizer
    tokenizer.json                         text pieces (released CogView: a sentencepiece .model)
    caption/, super_resolution/            released CogView's other two GPTs, where they are there:
                                           the first ranks, the second doubles the picture's side

One picture is drawn as `best_of` samples at once; the one whose caption score is highest stays.
`guidance` w moves logits away from what the model draws without any text: u + w (c - u), which
small models gain much from (Ho and Salimans 2021, for logits). A region is drawn anew with the
codes around it given; pixels outside the region are the user's own.

Legend of the suffixes: B samples, T tokens, V codes, h w codes, H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from glm_protocol.errors import BadRequest, EngineFailed
from glm_t2i.code_stream import CodeStream
from glm_t2i.given_picture import marks_all
from glm_t2i.models.cogview import CogView
from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.models.pixels import normalised
from glm_t2i.models.vqvae import STRIDE, VqVae
from glm_t2i.nano_layout import NanoLayout
from glm_t2i.painting import Painted, Painting, Step, Strokes
from glm_t2i.picture_finish import even_background, put_into
from glm_t2i.pipelines.filling import OnStep
from glm_t2i.pipelines.nine_windows import enlarge
from glm_t2i.pipelines.sampling import Chooser, TopK, draw, greedy, keep_top_k
from glm_t2i.stepped_call import SteppedCall, as_part

MOST_BEST_OF = 16
ENLARGING_TEMPERATURE = 1.02  # as released


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawingHabits:
    """What is used where a request does not say: set in config.json by whoever made the model."""

    best_of: int = 1
    guidance: float = 1.0
    top_k: int = 200
    temperature: float = 1.0


class CogViewPainter:
    """`pieces`: from a prompt to text pieces, numbered from 0."""

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        model: CogView,
        vqvae: VqVae,
        layout: NanoLayout,
        pieces: Callable[[str], list[int]],
        habits: DrawingHabits,
        *,
        ranker: CogView | None = None,
        enlarger: CogView | None = None,
    ) -> None:
        self._model, self._vqvae, self._layout = model, vqvae, layout
        self._ranker, self._enlarger = ranker or model, enlarger
        self._pieces, self._habits = pieces, habits
        self._weight = model.word_embeddings.weight

    @property
    def architecture(self) -> str:
        return "CogView"

    @property
    def device(self) -> str:
        return self._weight.device.type

    @property
    def dtype(self) -> str:
        return str(self._weight.dtype).removeprefix("torch.")

    @property
    def memory_bytes(self) -> int:
        parts = (self._model, self._vqvae, self._ranker, self._enlarger)
        held = {id(part): part for part in parts if part is not None}.values()
        return sum(weight.nbytes for part in held for weight in part.parameters())

    @property
    def context_length(self) -> int:
        return self._model.config.max_sequence_length

    @property
    def edge_pixels(self) -> int:
        """Side of what the model draws."""
        return self._layout.edge * STRIDE

    def check(self, painting: Painting) -> None:
        self._text(painting.prompt)
        self._best_of(painting)
        self._guidance(painting)
        if painting.region is not None and marks_all(painting.region):
            raise BadRequest(
                "This model draws into a part of a picture.", remedy="Mark it: a box or a mask."
            )

    def paint(self, painting: Painting) -> Strokes:
        larger = self._enlarger is not None and painting.region is None
        more = 4 * self._layout.edge**2 if larger else 0
        codes_Bhw = yield from as_part(self._codes(painting), more)
        scores_B = self.scores(codes_Bhw, painting.prompt)
        best = int(scores_B.argmax())
        best_1hw = codes_Bhw[best : best + 1]
        if larger:
            best_1hw = yield from self._enlarged(best_1hw, painting)
        with torch.inference_mode():
            pixels_3HW = self._vqvae.decode_pixels(best_1hw)[0].clamp(0, 1)
        if not bool(pixels_3HW.isfinite().all()):
            raise EngineFailed("The model's output is not finite.")
        picture = _as_picture(pixels_3HW)
        if painting.given is not None and painting.region is not None:
            picture = put_into(painting.given, picture, painting.region)
        else:
            picture = even_background(picture)
        yield Painted(picture=picture, score=round(float(scores_B[best]), 4))

    def _enlarged(
        self, codes_1hw: torch.Tensor, painting: Painting
    ) -> Generator[Step, None, torch.Tensor]:
        """Codes [1, 2 h, 2 w] by nine windows, code for code."""
        enlarger = self._enlarger
        assert enlarger is not None
        generator = torch.Generator().manual_seed(painting.seed % 2**63)
        choose: Chooser = greedy
        if painting.temperature > 0:
            top_k = self._habits.top_k
            choose = TopK(generator=generator, top_k=top_k, temperature=ENLARGING_TEMPERATURE)
        text = self._text(painting.prompt)

        def call(on_step: OnStep) -> torch.Tensor:
            with torch.inference_mode():
                return enlarge(
                    enlarger, self._layout.ids, text, codes_1hw, choose=choose, on_step=on_step
                )

        before = self._layout.edge**2
        return (yield from as_part(SteppedCall(call).run(), before, done=before))

    def scores(self, codes_Bhw: torch.Tensor, prompt: str) -> torch.Tensor:
        """Mean log-probability of the prompt's pieces behind each picture, [B]."""
        return torch.cat([self.ranked(codes_hw, [prompt]) for codes_hw in codes_Bhw])

    @torch.inference_mode()
    def ranked(self, codes_hw: torch.Tensor, prompts: Sequence[str]) -> torch.Tensor:
        """Caption scores of several prompts for one picture: mean log-probability of a piece
        behind the picture's codes, with codes forbidden; [prompts]."""
        ids, positions = self._layout.caption_context(codes_hw.flatten().tolist())
        cache = KeyValueCache(self._ranker.config.num_layers, capacity=len(ids))
        first_1V = self._logits(ids, positions, cache)[-1:]
        found = []
        for prompt in prompts:
            text = self._text(prompt)
            logits_TV = first_1V
            if len(text) > 1:
                start = positions[-1] + 1
                places = list(range(start, start + len(text) - 1))
                more_TV = self._logits(text[:-1], places, cache.expanded(1))
                logits_TV = torch.cat((first_1V, more_TV))
            logs_TV = logits_TV[:, self._layout.ids.image_tokens :].log_softmax(dim=-1)
            columns = torch.tensor(text) - self._layout.ids.image_tokens
            found.append(logs_TV[torch.arange(len(text)), columns].mean())
        return torch.stack(found)

    def _logits(self, ids: list[int], positions: list[int], cache: KeyValueCache) -> torch.Tensor:
        """[T, V] of a run of new ids."""
        device = self._weight.device
        new, places = (torch.tensor([row], device=device) for row in (ids, positions))
        return torch.as_tensor(self._ranker(new, places, cache=cache).logits)[0].float().cpu()

    @torch.inference_mode()
    def decoded(self, codes_hw: torch.Tensor) -> Image.Image:
        """The picture of codes, as the tokenizer gives it."""
        return _as_picture(self._vqvae.decode_pixels(codes_hw[None])[0].clamp(0, 1))

    @property
    def codes(self) -> int:
        """Codes of the book."""
        return self._layout.ids.image_tokens

    @torch.inference_mode()
    def encoded(self, picture: Image.Image) -> torch.Tensor:
        """Codes int64 [h, w] of a picture, scaled to the model's size, alpha on white."""
        side = self.edge_pixels
        rgba = picture.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
        flat = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
        pixels = torch.from_numpy(np.array(flat)).permute(2, 0, 1)[None].to(self._weight) / 255
        return torch.as_tensor(self._vqvae.encode(normalised(pixels)))[0]

    def text_ids(self, prompt: str) -> list[int]:
        """Raises BadRequest, PromptTooLong."""
        return self._text(prompt)

    def _codes(self, painting: Painting) -> Generator[Step, None, torch.Tensor]:
        """Steps; the generator's value is codes [B, h, w]."""
        given_n, holes = self._known(painting)
        samples = self._best_of(painting)
        generators = [
            torch.Generator().manual_seed((painting.seed * 1_000_003 + index) % 2**63)
            for index in range(samples)
        ]
        streams = self._streams(painting, samples)
        guidance, edge = self._guidance(painting), self._layout.edge
        tokens_BN = torch.tensor(given_n).repeat(samples, 1)
        steps = len(holes)
        preview = self._previews(painting, holes)
        for step, place in enumerate(holes):
            with torch.inference_mode():
                logits = [stream.logits(tokens_BN, place) for stream in streams]
                logits_BV = logits[0][:, : self._layout.ids.image_tokens].float()
                if len(logits) == 2:
                    without_BV = logits[1][:, : self._layout.ids.image_tokens].float()
                    logits_BV = without_BV + guidance * (logits_BV - without_BV)
                if not bool(logits_BV.isfinite().all()):
                    raise EngineFailed("The model's output is not finite.")
                tokens_BN[:, place] = self._chosen(logits_BV, painting.temperature, generators)
            yield Step(step=step + 1, steps=steps, preview=preview(step, tokens_BN[0]))
        return tokens_BN.view(samples, edge, edge)

    def _previews(
        self, painting: Painting, holes: list[int]
    ) -> Callable[[int, torch.Tensor], Image.Image | None]:
        """The first sample so far, as often as it is wanted; what is not drawn yet is white."""
        edge, most = self._layout.edge, len(holes)
        at = {most * (n + 1) // (painting.previews + 1) - 1 for n in range(painting.previews)}
        white = Image.new("RGB", (self.edge_pixels, self.edge_pixels), "white")
        blank_n = self.encoded(white).flatten() if at else torch.empty(0)

        def preview(step: int, tokens_N: torch.Tensor) -> Image.Image | None:
            if step not in at:
                return None
            codes_N = tokens_N.clone()
            codes_N[holes[step + 1 :]] = blank_n[holes[step + 1 :]]
            return self.decoded(codes_N.view(edge, edge))

        return preview

    def _chosen(
        self, logits_BV: torch.Tensor, temperature: float, generators: list[torch.Generator]
    ) -> torch.Tensor:
        warmth = temperature * self._habits.temperature
        if warmth == 0:
            return logits_BV.argmax(dim=-1)
        weights_BV = keep_top_k(logits_BV / warmth, self._habits.top_k).softmax(dim=-1)
        rows = [draw(row_V[None], g) for row_V, g in zip(weights_BV, generators, strict=True)]
        return torch.cat(rows)

    def _known(self, painting: Painting) -> tuple[list[int], list[int]]:
        """(codes given, 0 where none; places to draw, in order)."""
        edge = self._layout.edge
        if painting.given is None or painting.region is None:
            return [0] * edge**2, list(range(edge**2))
        codes = self.encoded(painting.given).flatten().tolist()
        region = painting.region.convert("L").resize(painting.given.size)
        cells = region.resize((edge, edge), Image.Resampling.BOX)
        touched = np.asarray(cells).flatten() > 0
        if not touched.any():
            raise BadRequest("The mask marks nothing to draw.", remedy="White is drawn anew.")
        return codes, touched.nonzero()[0].tolist()

    def _streams(self, painting: Painting, samples: int) -> list[CodeStream]:
        contexts = [self._layout.drawing_context(self._text(painting.prompt))]
        if self._guidance(painting) != 1.0:
            contexts.append(self._layout.drawing_context([]))
        return [CodeStream(self._model, ids, places, samples) for ids, places in contexts]

    def _text(self, prompt: str) -> list[int]:
        if not prompt.strip():
            raise BadRequest("The prompt is empty.", remedy="Say what the picture shows.")
        ids = self._layout.text_ids(self._pieces(prompt))
        if not ids:
            raise BadRequest("The prompt holds nothing that the model can read.")
        return ids

    def _best_of(self, painting: Painting) -> int:
        text = painting.options.get("best_of", str(self._habits.best_of))
        if not text.isdecimal() or not 1 <= int(text) <= MOST_BEST_OF:
            raise BadRequest(f"best_of is {text[:20]!r}; it may be 1 to {MOST_BEST_OF}.")
        return int(text)

    def _guidance(self, painting: Painting) -> float:
        text = painting.options.get("guidance", str(self._habits.guidance))
        try:
            guidance = float(text)
        except ValueError:
            guidance = math.nan
        if not 0 <= guidance <= 20:
            raise BadRequest(f"guidance is {text[:20]!r}; it may be 0 to 20.")
        return guidance


def _as_picture(pixels_3HW: torch.Tensor) -> Image.Image:
    bytes_HW3 = (pixels_3HW.float() * 255).round().to(torch.uint8).permute(1, 2, 0)
    return Image.fromarray(bytes_HW3.cpu().numpy())
