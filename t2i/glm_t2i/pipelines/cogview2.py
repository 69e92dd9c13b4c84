"""CogView2 as one: text to a 480 x 480 picture, and a region of a picture drawn anew.

    text ──CogLM──> 20 x 20 codes ──direct──> 60 x 60 ──iterative, 6 passes──> 60 x 60 ──> pixels

The stages are models of their own; whoever is short of memory may load them one after the other.
Text comes in as ids, without a start token; styles are words that belong behind the prompt.
Source: CogView2 (arXiv 2204.14217), the released recipes. Settings that the released code stores
and never uses (temperatures of both super-resolutions) are left out.

Legend of the suffixes: B samples, H W fine codes, h w coarse ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from glm_t2i.models.coglm import CogLM
from glm_t2i.models.hvqvae import HvqVae
from glm_t2i.models.super_resolution import DirectSuperResolution, IterativeSuperResolution
from glm_t2i.pipelines.coglm_drawing import draw_codes
from glm_t2i.pipelines.coglm_sequence import FIRST_CODE_POSITION
from glm_t2i.pipelines.filling import OnStep
from glm_t2i.pipelines.refinement import (
    RefiningPass,
    enlarge_directly,
    parallel_passes,
    refine,
)
from glm_t2i.pipelines.sampling import Chooser, ClusterDraw, TopK, drawing, greedy
from glm_t2i.pipelines.vocabulary import IcetkIds


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """Words behind the prompt and how boldly codes are drawn."""

    suffix: str = ""
    temperature: float = 1.15
    direct_clusters: int = 100
    direct_cluster_temperature: float = 0.89


STYLES = {
    "none": Style(),
    "mainbody": Style(suffix=" 高清摄影 隔绝"),
    "photo": Style(suffix=" 高清摄影"),
    "flat": Style(suffix=" 平面风格", temperature=1.1, direct_clusters=5,
                  direct_cluster_temperature=0.4),
    "comics": Style(suffix=" 漫画 隔绝", temperature=1.1, direct_clusters=5,
                    direct_cluster_temperature=0.4),
    "oil": Style(suffix=" 油画风格"),
    "sketch": Style(suffix=" 素描风格", temperature=1.1),
    "isometric": Style(suffix=" 等距矢量图", temperature=1.1),
    "chinese": Style(suffix=" 水墨国画", temperature=1.12),
    "watercolor": Style(suffix=" 水彩画风格"),
}  # fmt: skip
BASE_CLUSTERS = 16


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Choosers:
    """How each stage turns logits into codes. Refining passes draw from `generator` by their own
    top-k, or are greedy without one."""

    base: Chooser
    direct: Chooser
    generator: torch.Generator | None = None

    @classmethod
    def greedy(cls) -> Choosers:
        return cls(base=greedy, direct=greedy)

    @classmethod
    def released(cls, labels_V: torch.Tensor, generator: torch.Generator, style: Style) -> Choosers:
        """The released recipe. `labels_V`: the cluster of each code, a file of the model."""
        pick = drawing(generator)
        base = ClusterDraw(
            labels_V=labels_V, pick=pick, temperature=style.temperature, clusters=BASE_CLUSTERS
        )
        direct = ClusterDraw(
            labels_V=labels_V,
            pick=pick,
            temperature=1.0,
            clusters=style.direct_clusters,
            cluster_temperature=style.direct_cluster_temperature,
        )
        return cls(base=base, direct=direct, generator=generator)

    def of_passes(self, passes: Sequence[RefiningPass]) -> Sequence[Chooser]:
        if self.generator is None:
            return [greedy] * len(passes)
        return [TopK(generator=self.generator, top_k=step.top_k) for step in passes]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CogView2:
    """The four networks. Coarse positions start at 513 in all released models."""

    base: CogLM
    direct: DirectSuperResolution
    iterative: IterativeSuperResolution
    tokenizer: HvqVae
    ids: IcetkIds = field(default_factory=IcetkIds)
    first_coarse_position: int = FIRST_CODE_POSITION

    def draw(
        self,
        text_ids: Sequence[int],
        *,
        choosers: Choosers,
        samples: int = 1,
        on_step: OnStep | None = None,
    ) -> torch.Tensor:
        """Pictures with pixels 0..1, clamped, [samples, 3, 480, 480] with the released sizes.

        Raises PromptTooLong above 110 ids, ValueError on none. `on_step` counts the codes of the
        first stage, then from 1 again the passes of the refinement.
        """
        coarse_Bhw = draw_codes(
            self.base,
            self.ids,
            text_ids,
            choose=choosers.base,
            edge=self.direct.coarse_edge,
            samples=samples,
            on_step=on_step,
        )
        fine_BHW = self.enlarge(text_ids, coarse_Bhw, choosers=choosers, on_step=on_step)
        return self.tokenizer.decode_pixels(fine_BHW).clamp(0, 1)

    def enlarge(
        self,
        text_ids: Sequence[int],
        coarse_Bhw: torch.Tensor,
        *,
        choosers: Choosers,
        on_step: OnStep | None = None,
    ) -> torch.Tensor:
        """Fine codes int64 [B, H, W] of coarse ones: the direct pass and the six refinements."""
        fine_BHW = self.enlarge_once(text_ids, coarse_Bhw, choosers=choosers)
        passes = parallel_passes(self.iterative.config.fine_edge)
        return self.polish(text_ids, fine_BHW, passes, choosers=choosers, on_step=on_step)

    def enlarge_once(
        self, text_ids: Sequence[int], coarse_Bhw: torch.Tensor, *, choosers: Choosers
    ) -> torch.Tensor:
        """The direct pass alone."""
        return enlarge_directly(
            self.direct,
            self.ids,
            text_ids,
            coarse_Bhw,
            choose=choosers.direct,
            first_position=self.first_coarse_position,
        )

    def polish(
        self,
        text_ids: Sequence[int],
        fine_BHW: torch.Tensor,
        passes: Sequence[RefiningPass],
        *,
        choosers: Choosers,
        on_step: OnStep | None = None,
    ) -> torch.Tensor:
        """The refinements alone, by any schedule."""
        chosen = choosers.of_passes(passes)
        return refine(
            self.iterative, self.ids, text_ids, fine_BHW, passes, choose=chosen, on_step=on_step
        )
