"""From a model's picture to what was asked for: exact size, real transparency, a palette.

Transparency is a keyed background: the border's colour is taken away, partly covered edge pixels
get the share of it that they hold, and holes are seen through too. Whether it worked is measured
on the result, because a painted checkerboard is what users of such tools complain of most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from glm_protocol.errors import BadRequest

_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
NEAR = 0.09  # distance from the background, of 0..1, below which a pixel is background
UNIFORM = 0.75  # share of the border that must be background for it to be taken away
MAX_PALETTE = 64
_LOOKED_AT = 128  # pixels either way when holes are sought


@dataclass(frozen=True, kw_only=True, slots=True)
class Alpha:
    """What the finished picture's alpha really is: share of fully clear pixels, corners, and the
    share that is clear but shut in by the object: holes."""

    clear_share: float
    clear_corners: int
    hole_share: float = 0.0

    @property
    def real(self) -> bool:
        """Nearly all corners clear, and not the whole picture."""
        return self.clear_corners >= 3 and 0.01 < self.clear_share < 0.999


def exact_size(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The whole picture scaled to fit, centred; what is left over gets the border's colour."""
    scale = min(width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    scaled = picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)
    if size == (width, height):
        return scaled
    fill: tuple[int, ...] = (0, 0, 0, 0) if picture.mode == "RGBA" else border_colour(picture)
    whole = Image.new(picture.mode, (width, height), fill)
    whole.paste(scaled, ((width - size[0]) // 2, (height - size[1]) // 2))
    return whole


def border_colour(picture: Image.Image) -> tuple[int, int, int]:
    """The median colour of the outermost pixels."""
    red, green, blue = np.median(_border(np.asarray(picture.convert("RGB"))), axis=0).tolist()
    return round(red), round(green), round(blue)


def even_background(picture: Image.Image) -> Image.Image:
    """Pixels near the border's colour made exactly it, where the border is of one colour.

    Decoded codes leave faint stains there.
    """
    pixels = np.asarray(picture.convert("RGB")).astype(np.float32) / 255
    colour = np.array(border_colour(picture), np.float32) / 255
    if colour.min() > 0.94:
        colour[:] = 1.0  # off-white is white
    if not _uniform(pixels, colour):
        return picture
    away = _distance(pixels, colour)[..., None]
    share = np.clip((away - NEAR / 2) / (NEAR / 2), 0, 1)
    return Image.fromarray(np.rint(255 * (colour + (pixels - colour) * share)).astype(np.uint8))


def cut_out(picture: Image.Image) -> Image.Image:
    """RGBA without the background, or the picture as opaque RGBA where the border is mixed."""
    pixels = np.asarray(picture.convert("RGB")).astype(np.float32) / 255
    colour = np.array(border_colour(picture), np.float32) / 255
    if not _uniform(pixels, colour):
        return picture.convert("RGBA")
    away = _distance(pixels, colour)
    solid = np.maximum(_largest_around(away, 4), 1e-6)
    alpha = np.where(away < NEAR, 0.0, np.clip(away / solid, 0, 1))
    alpha = np.where(alpha > 0.9, 1.0, alpha)[..., None]
    # what the pixel would be without the background's share in it
    own = np.where(alpha > 0, (pixels - (1 - alpha) * colour) / np.maximum(alpha, 1e-3), 0)
    rgba = np.concatenate([np.clip(own, 0, 1), alpha], axis=2)
    return Image.fromarray(np.rint(255 * rgba).astype(np.uint8), "RGBA")


def put_into(given: Image.Image, drawn: Image.Image, region: Image.Image) -> Image.Image:
    """The given picture with what was drawn where the region is white."""
    kept = given.convert("RGBA")
    mask = region.convert("L").resize(kept.size)
    fresh = drawn.convert("RGBA").resize(kept.size, Image.Resampling.LANCZOS)
    whole = Image.composite(fresh, kept, mask)
    return whole if given.mode == "RGBA" else whole.convert("RGB")


def measured_alpha(picture: Image.Image) -> Alpha:
    """Counted on the picture itself."""
    if picture.mode != "RGBA":
        return Alpha(clear_share=0.0, clear_corners=0)
    alpha = np.asarray(picture.getchannel("A"))
    corners = (alpha[0, 0], alpha[0, -1], alpha[-1, 0], alpha[-1, -1])
    return Alpha(
        clear_share=float((alpha == 0).mean()),
        clear_corners=sum(corner == 0 for corner in corners),
        hole_share=_holes(picture.getchannel("A")),
    )


def _holes(alpha: Image.Image) -> float:
    """Share of clear pixels that no path of clear ones joins to the border."""
    small = alpha.copy()
    small.thumbnail((_LOOKED_AT, _LOOKED_AT), Image.Resampling.NEAREST)
    framed = Image.new("L", (small.width + 2, small.height + 2), 0)
    framed.paste(small.point(lambda value: 255 if value else 0), (1, 1))
    ImageDraw.floodfill(framed, (0, 0), 255)
    return float((np.asarray(framed) == 0).sum() / (small.width * small.height))


def read_palette(text: str) -> list[tuple[int, int, int]]:
    """Colours `#rrggbb`, parted by commas or spaces. Raises BadRequest."""
    words = [word for word in re.split(r"[,\s]+", text) if word]
    found = [match[1] for word in words if (match := _HEX.fullmatch(word))]
    if len(found) != len(words) or not 1 <= len(found) <= MAX_PALETTE:
        raise BadRequest(
            "A palette is 1 to 64 colours written as #rrggbb.", remedy="Correct the palette."
        )
    return [(int(h[:2], 16), int(h[2:4], 16), int(h[4:], 16)) for h in found]


def in_palette(picture: Image.Image, palette: list[tuple[int, int, int]]) -> Image.Image:
    """Every pixel the nearest colour of the palette; alpha stays. White stays the background
    where the palette has no colour near it."""
    rgba = picture.mode == "RGBA"
    pixels = np.asarray(picture.convert("RGB")).astype(np.int32)
    background = np.array(border_colour(picture), np.int32)
    colours = np.array(palette, np.int32)
    if not rgba and np.abs(colours - background).sum(axis=1).min() > 60:
        colours = np.concatenate([colours, background[None]])
    far = np.stack([np.square(pixels - colour).sum(axis=2) for colour in colours])
    result = Image.fromarray(colours[far.argmin(axis=0)].astype(np.uint8))
    if rgba:
        result.putalpha(picture.getchannel("A"))
    return result


def _border(pixels_HWC: np.ndarray) -> np.ndarray:
    edges = (pixels_HWC[0], pixels_HWC[-1], pixels_HWC[:, 0], pixels_HWC[:, -1])
    return np.concatenate(edges)


def _distance(pixels_HWC: np.ndarray, colour_C: np.ndarray) -> np.ndarray:
    """The largest difference of a channel, [H, W]."""
    return np.asarray(np.abs(pixels_HWC - colour_C).max(axis=2))


def _uniform(pixels_HWC: np.ndarray, colour_C: np.ndarray) -> bool:
    edge = np.abs(_border(pixels_HWC) - colour_C).max(axis=1)
    return bool((edge < NEAR).mean() >= UNIFORM)


def _largest_around(values_HW: np.ndarray, reach: int) -> np.ndarray:
    """The maximum within `reach` pixels either way."""
    padded = np.pad(values_HW, reach, mode="edge")
    rows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).max(axis=-1)
    return np.asarray(
        np.lib.stride_tricks.sliding_window_view(rows, 2 * reach + 1, axis=1).max(axis=-1)
    )
