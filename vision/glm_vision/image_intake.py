"""Pictures from anywhere, made safe: checked, decoded apart, turned, flattened, bounded.

    file, data URI, clipboard -> bytes -> kind by content -> worker process -> RGB, re-encoded

What leaves here holds pixels only: no metadata, no second format hidden behind the first, no
animation. What is *written in* a picture stays untrusted text for whoever reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType

from PIL import Image

from glm_client.picture_file import check_size, read_picture_file
from glm_vision.decode_process import DecodeProcess, ImageLimits
from glm_vision.image_source import kind_of, read_data_uri


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeImage:
    """A picture in RGB. `source_*` is its size as it is seen before bounding, in pixels."""

    picture: Image.Image
    source_width: int
    source_height: int
    kind: str
    notes: tuple[str, ...] = ()  # what was changed, for the user to be told

    def png(self) -> bytes:
        """Re-encoded: the only bytes of it that may be passed on."""
        stream = BytesIO()
        self.picture.save(stream, "PNG", compress_level=1)
        return stream.getvalue()


class ImageIntake:
    """Owns the worker process. Safe to share between threads; close it, or use `with`."""

    def __init__(self, limits: ImageLimits | None = None) -> None:
        self.limits = limits or ImageLimits()
        self._worker = DecodeProcess(self.limits)

    def read(self, source: Path | str | bytes) -> IntakeImage:
        """A path, a `data:` URI (any other str is taken for one and refused) or the bytes.

        Raises BadRequest (broken, too large, not a file) or Unsupported (SVG, PDF, a URL …). An
        error leaves nothing behind: the next picture is read as if this one had never come.
        """
        if isinstance(source, Path):
            data = read_picture_file(source, self.limits.max_file_bytes)
        elif isinstance(source, str):
            data = read_data_uri(source, self.limits.max_file_bytes)
        else:
            data = source
            check_size(len(data), self.limits.max_file_bytes)
        kind = kind_of(data)
        decoded, picture = self._worker.decode(kind, data)
        return IntakeImage(
            picture=picture,
            source_width=decoded.source_width,
            source_height=decoded.source_height,
            kind=kind,
            notes=decoded.notes,
        )

    def close(self) -> None:
        self._worker.close()

    def __enter__(self) -> ImageIntake:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
