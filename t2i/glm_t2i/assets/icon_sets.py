"""Sets of icons from one square picture: a web page's favicons, Android's and iOS's launchers.

The names and sizes are those that browsers and build tools look for, so a set goes into a folder
of its own instead of getting numbers behind its names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from glm_t2i.assets.picture_formats import ico_bytes, resized_png
from glm_t2i.png_file import picture_from_bytes

SIDE = 512  # what a set is made from
_FAVICON_PNG = {
    "favicon-16x16.png": 16,
    "favicon-32x32.png": 32,
    "apple-touch-icon.png": 180,
    "android-chrome-192x192.png": 192,
    "android-chrome-512x512.png": 512,
}
_FAVICON_ICO = (16, 32, 48)
_ANDROID = {"mdpi": 48, "hdpi": 72, "xhdpi": 96, "xxhdpi": 144, "xxxhdpi": 192}
_IOS = (20, 29, 40, 58, 60, 76, 80, 87, 120, 152, 167, 180, 1024)


@dataclass(frozen=True, kw_only=True, slots=True)
class IconSet:
    """`files`: path inside the folder -> bytes. `hint`: what to do with them."""

    files: dict[str, bytes]
    hint: str


def favicon(png: bytes) -> IconSet:
    """For a web page, with its manifest; the hint is the link tags."""
    picture = picture_from_bytes(png, "picture")
    files = {name: resized_png(png, side) for name, side in _FAVICON_PNG.items()}
    sizes = [picture.resize((side, side), Image.Resampling.LANCZOS) for side in _FAVICON_ICO]
    files["favicon.ico"] = ico_bytes(sizes)
    icons = [
        {"src": f"android-chrome-{side}x{side}.png", "sizes": f"{side}x{side}", "type": "image/png"}
        for side in (192, 512)
    ]
    files["site.webmanifest"] = (json.dumps({"icons": icons}, indent=2) + "\n").encode()
    hint = (
        '<link rel="icon" href="favicon.ico" sizes="any">\n'
        '<link rel="icon" type="image/png" sizes="32x32" href="favicon-32x32.png">\n'
        '<link rel="apple-touch-icon" href="apple-touch-icon.png">\n'
        '<link rel="manifest" href="site.webmanifest">'
    )
    return IconSet(files=files, hint=hint)


def android(png: bytes) -> IconSet:
    """Launcher icons for `app/src/main/res`."""
    files = {
        f"mipmap-{density}/ic_launcher.png": resized_png(png, side)
        for density, side in _ANDROID.items()
    }
    files["play-store-512.png"] = resized_png(png, 512)
    return IconSet(files=files, hint="Copy the mipmap folders into app/src/main/res.")


def ios(png: bytes) -> IconSet:
    """An `AppIcon.appiconset`. iOS shows no transparency, so give it an opaque picture."""
    folder = "AppIcon.appiconset"
    files = {f"{folder}/icon-{side}.png": resized_png(png, side) for side in _IOS}
    every = {"idiom": "universal", "platform": "ios"}
    images = [{**every, "size": f"{side}x{side}", "filename": f"icon-{side}.png"} for side in _IOS]
    contents = {"images": images, "info": {"author": "glm-lsp", "version": 1}}
    files[f"{folder}/Contents.json"] = (json.dumps(contents, indent=2) + "\n").encode()
    return IconSet(files=files, hint=f"Drag {folder} into the asset catalogue.")


ICON_SETS: dict[str, Callable[[bytes], IconSet]] = {
    "favicon": favicon,
    "android": android,
    "ios": ios,
}
