"""The parent's end of `decode_worker`: started on first use, replaced when it dies."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from PIL import Image

from glm_protocol.errors import BadRequest, EngineFailed

PROGRAM = Path(__file__).with_name("decode_worker.py")
_STRIP_ROWS = 64  # rows copied at a time, so that a picture is never held twice
_MAX_ANSWER = 1 << 16  # bytes of JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageLimits:
    """What a picture may be (file, sides, pixels), what comes out, and what decoding may cost."""

    max_file_bytes: int = 20 << 20
    max_side: int = 8192
    max_pixels: int = 40_000_000
    out_pixels: int = 3840 * 2160  # a 4K screenshot stays as it is
    memory_bytes: int = 1 << 30
    cpu_s: float = 1.5
    wall_s: float = 15.0  # for machines that are busy; the processor time is the real limit


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedPicture:
    """What the worker says of a picture: sizes in pixels, `source_*` before bounding."""

    width: int
    height: int
    source_width: int
    source_height: int
    notes: tuple[str, ...]

    @classmethod
    def checked(cls, about: dict[str, Any], limits: ImageLimits) -> DecodedPicture:
        """The worker has read a stranger's bytes: its words are checked too. ValueError."""
        names = ("width", "height", "source_width", "source_height")
        sizes = [about.get(name) for name in names]
        notes = about.get("notes")
        if not all(type(size) is int and 0 < size <= limits.max_side for size in sizes):
            raise ValueError(f"sizes that were not asked for: {sizes}")
        if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
            raise ValueError("notes that are no text")
        if about["width"] * about["height"] > limits.out_pixels:
            raise ValueError("more pixels than were asked for")
        return cls(**{name: about[name] for name in names}, notes=tuple(notes))


class DecodeProcess:
    """One worker process, one picture at a time. Safe to share between threads."""

    def __init__(self, limits: ImageLimits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_idle = True  # False while an answer is still owed

    def decode(self, kind: str, data: bytes) -> tuple[DecodedPicture, Image.Image]:
        """What the picture is, and it in RGB. Raises BadRequest; the next call works anyway."""
        with self._lock:
            process = self._started()
            alarm = threading.Timer(self.limits.wall_s, process.kill)
            alarm.daemon = True
            alarm.start()
            try:
                return self._exchange(process, kind, data)
            except (OSError, EOFError, ValueError) as error:
                code = self._stop(patience_s=0.2)
                if code is not None and code > 0:  # it ended by itself, not by a limit
                    raise EngineFailed("The process that decodes pictures failed.") from error
                raise BadRequest(
                    "The picture cannot be decoded within the limits of memory and time.",
                    remedy="Send a smaller or simpler picture.",
                ) from error
            except BaseException:
                if not self._is_idle:
                    self._stop()
                raise
            finally:
                alarm.cancel()

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", str(PROGRAM), str(self.limits.memory_bytes)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env={"LC_ALL": "C.UTF-8"},
                )
            except OSError as error:
                raise EngineFailed("The process that decodes pictures did not start.") from error
        return self._process

    def _exchange(
        self, process: subprocess.Popen[bytes], kind: str, data: bytes
    ) -> tuple[DecodedPicture, Image.Image]:
        self._is_idle = False
        assert process.stdin is not None
        assert process.stdout is not None
        limits = self.limits
        request = {
            "kind": kind,
            "size": len(data),
            "max_side": limits.max_side,
            "max_pixels": limits.max_pixels,
            "out_pixels": limits.out_pixels,
            "cpu_s": limits.cpu_s,
        }
        text = json.dumps(request).encode()
        process.stdin.write(struct.pack(">I", len(text)) + text)
        process.stdin.write(data)
        process.stdin.flush()
        about = _read_answer(process.stdout)
        if "error" in about:
            self._is_idle = True
            raise _refusal(about)
        decoded = DecodedPicture.checked(about, limits)
        picture = _read_picture(process.stdout, decoded.width, decoded.height)
        self._is_idle = True
        return decoded, picture

    def _stop(self, patience_s: float = 0.0) -> int | None:
        """End the worker, if there is one; its exit status, negative for a signal."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
        process.kill()
        with suppress(OSError), process:  # closes the pipes, one with a request unsent, and waits
            pass
        return process.wait()


def _read_answer(stream: IO[bytes]) -> dict[str, Any]:
    length = struct.unpack(">I", _read(stream, 4))[0]
    if length > _MAX_ANSWER:
        raise EOFError("the worker's answer is too long")
    about = json.loads(_read(stream, length))
    if not isinstance(about, dict):
        raise ValueError("the worker's answer is no object")
    return about


def _read_picture(stream: IO[bytes], width: int, height: int) -> Image.Image:
    picture = Image.new("RGB", (width, height))
    for top in range(0, height, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, height - top)
        strip = Image.frombytes("RGB", (width, rows), _read(stream, width * rows * 3))
        picture.paste(strip, (0, top))
    return picture


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the worker went away")
    return data


def _refusal(about: dict[str, Any]) -> BadRequest:
    message = str(about.get("message"))[:300]
    if about["error"] == "refused":
        return BadRequest(
            f"The picture is refused: {message}.", remedy="Crop it or scale it down first."
        )
    return BadRequest(f"The picture is damaged ({message}).", remedy="Save it again and resend it.")
