"""A picture as CogVLM's image encoder takes it. Source: CogVLM's released image processor.

The picture is squeezed to a square whatever its shape, so boxes, which are thousandths of width
and of height, need no undoing. Screenshots wider than about 2 : 1 are better tiled (`tiling`).
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's, over red, green, blue in 0..1
STD = (0.26862954, 0.26130258, 0.27577711)


def pixels_of(picture: Image.Image, side: int) -> torch.Tensor:
    """Normalised pixels (3, side, side), fp32, of a picture in mode RGB (ValueError else)."""
    if picture.mode != "RGB":
        raise ValueError(f"the picture is {picture.mode}, not RGB; take it in with read_image")
    square = picture.resize((side, side), Image.Resampling.BICUBIC)
    colours_SS3 = torch.from_numpy(np.array(square)).float() / 255
    normal_SS3 = (colours_SS3 - torch.tensor(MEAN)) / torch.tensor(STD)
    return normal_SS3.permute(2, 0, 1).contiguous()
