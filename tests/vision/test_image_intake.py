"""Every picture is refused or handled in bounded time and memory, and the next one works."""

from __future__ import annotations

import base64
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from PIL import Image

from glm_protocol.errors import BadRequest, EngineFailed, Unsupported
from glm_vision.decode_process import ImageLimits
from glm_vision.decode_worker import bounded as bounded_size
from glm_vision.decode_worker import in_eight_bits
from glm_vision.image_intake import ImageIntake

from . import hostile_pictures as pictures

SECONDS = 2.0
GROWTH_BYTES = 50 << 20


@pytest.fixture(scope="module")
def intake() -> Iterator[ImageIntake]:
    with ImageIntake() as intake:
        intake.read(pictures.encode(pictures.sample(), "PNG"))
        yield intake


def assert_next_works(intake: ImageIntake) -> None:
    image = intake.read(pictures.encode(pictures.sample(), "PNG"))
    assert image.picture.getpixel((0, 0)) == (255, 0, 0)
    assert image.picture.getpixel((63, 47)) == (0, 0, 255)


@contextmanager
def bounded() -> Iterator[None]:
    """Under two seconds (times the machine's load, where more work than cores is waiting) and
    under 50 MB of growth of this process."""
    process = psutil.Process()
    before, start = process.memory_info().rss, time.monotonic()
    yield
    crowd = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert time.monotonic() - start < SECONDS * crowd
    assert process.memory_info().rss - before < GROWTH_BYTES


REFUSED = dict(pictures.refused())
HANDLED = {name: (data, size) for name, data, size in pictures.handled()}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(intake: ImageIntake, name: str) -> None:
    with bounded(), pytest.raises((BadRequest, Unsupported)) as caught:
        intake.read(REFUSED[name])
    assert caught.value.remedy
    assert_next_works(intake)


@pytest.mark.parametrize("name", HANDLED)
def test_handled(intake: ImageIntake, name: str) -> None:
    data, size = HANDLED[name]
    with bounded():
        image = intake.read(data)
    assert (image.picture.mode, image.picture.size) == ("RGB", size)
    assert ("animated" in " ".join(image.notes)) == (
        name.startswith("animated") or "frames" in name or name == "MPO"
    )
    assert_next_works(intake)


def test_the_bomb_has_74_bytes() -> None:
    assert len(REFUSED["74-byte bomb"]) == 74


def test_a_costly_decode_is_ended_by_its_processor_time() -> None:
    with ImageIntake(ImageLimits(cpu_s=0.2)) as intake:
        start = time.monotonic()
        with pytest.raises(BadRequest, match="within the limits"):
            intake.read(pictures.jpeg_with_many_scans(2000))
        assert time.monotonic() - start < intake.limits.wall_s
        assert_next_works(intake)


def test_a_decoder_that_hangs_is_ended_by_the_clock() -> None:
    with ImageIntake(ImageLimits(wall_s=0.5)) as intake:
        worker = intake._worker._started()
        worker.send_signal(signal.SIGSTOP)
        data = pictures.encode(pictures.sample(), "PNG")
        with bounded(), pytest.raises(BadRequest, match="within the limits"):
            intake.read(data)


def test_a_decoder_without_memory_is_refused() -> None:
    with ImageIntake(ImageLimits(memory_bytes=120 << 20)) as intake:
        with pytest.raises(BadRequest, match="memory"):
            intake.read(pictures.png(5000, 4000, colour=2))
        assert_next_works(intake)


def test_a_worker_that_was_killed_is_replaced(intake: ImageIntake) -> None:
    worker = intake._worker._process
    assert worker is not None
    worker.kill()
    worker.wait()
    assert_next_works(intake)


LIES = {
    "not JSON": b"\x00\x00\x00\x02{{",
    "no object": b"\x00\x00\x00\x02[]",
    "a long answer": b"\x7f\xff\xff\xff",
    "no sizes": b"\x00\x00\x00\x02{}",
    "huge": b"\x00\x00\x00\x55"
    + b'{"width":8000,"height":8000,"source_width":1,"source_height":1,"notes":[]}'.ljust(0x55),
    "half a picture": b"\x00\x00\x00\x55"
    + b'{"width":8,"height":8,"source_width":1,"source_height":1,"notes":[]}'.ljust(0x55)
    + bytes(9),
}


@pytest.mark.parametrize("name", LIES)
def test_a_worker_that_lies_is_not_believed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a decoder had been taken over."""
    program = tmp_path / "worker.py"
    wait = "sys.stdin.buffer.read(1)"
    program.write_text(
        f"import os, sys\n{wait}\nsys.stdout.buffer.write({LIES[name]!r})\n"
        "sys.stdout.flush()\nos.close(1)\nsys.stdin.buffer.read()\n"
    )
    with ImageIntake() as intake:
        monkeypatch.setattr("glm_vision.decode_process.PROGRAM", program)
        with bounded(), pytest.raises(BadRequest, match="within the limits"):
            intake.read(pictures.encode(pictures.sample(), "PNG"))
        monkeypatch.undo()
        assert_next_works(intake)


def test_a_worker_that_cannot_start_is_our_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "worker.py"
    program.write_text("import nothing_of_this_name")
    with ImageIntake() as intake:
        monkeypatch.setattr("glm_vision.decode_process.PROGRAM", program)
        with pytest.raises(EngineFailed, match="failed"):
            intake.read(pictures.encode(pictures.sample(), "PNG"))
        monkeypatch.setattr("sys.executable", str(tmp_path / "no python"))
        with pytest.raises(EngineFailed, match="did not start"):
            intake.read(pictures.encode(pictures.sample(), "PNG"))


def test_damaged_pictures_never_break_the_intake(intake: ImageIntake) -> None:
    chance = random.Random(7)
    whole = [pictures.encode(pictures.sample(), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF")]
    for _ in range(150):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            image = intake.read(bytes(data))
        except (BadRequest, Unsupported):
            continue
        else:
            assert image.picture.mode == "RGB"
    assert_next_works(intake)


def test_what_is_not_a_plain_file(intake: ImageIntake, tmp_path: Path) -> None:
    real = tmp_path / "real.png"
    real.write_bytes(pictures.encode(pictures.sample(), "PNG"))
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(real)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.png"))
        expected = {
            tmp_path / "pipe.png": "a named pipe",
            tmp_path / "link.png": "symbolic link",
            tmp_path / "loop.png": "symbolic link",
            tmp_path / "folder.png": "a folder",
            tmp_path / "s.png": "cannot be read",
            tmp_path / "missing.png": "No such file",
            tmp_path / "a\0b.png": "cannot be read",
            Path("/dev/zero"): "a device",
        }
        for path, message in expected.items():
            with bounded(), pytest.raises(BadRequest, match=message):
                intake.read(path)
    assert intake.read(real).kind == "PNG"


def test_the_content_decides_not_the_name(intake: ImageIntake, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(pictures.encode(pictures.sample(), "JPEG"))
    assert intake.read(path).kind == "JPEG"


def test_a_file_over_the_limit_is_not_read(intake: ImageIntake, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as stream:
        stream.truncate(intake.limits.max_file_bytes + 1)
    with pytest.raises(BadRequest, match="20 MB"):
        intake.read(path)
    with pytest.raises(BadRequest, match="20 MB"):
        intake.read(bytes(intake.limits.max_file_bytes + 1))


def test_data_uris(intake: ImageIntake) -> None:
    data = pictures.encode(pictures.sample(), "PNG")
    body = base64.b64encode(data).decode()
    assert intake.read(f"data:image/png;base64,{body}").picture.size == (64, 48)
    for uri in ("data:image/png;base64", "data:image/png,abc", "data:image/png;base64,$$$$"):
        with pytest.raises(BadRequest, match="data URI"):
            intake.read(uri)
    for uri in ("https://example.org/a.png", "file:///etc/passwd", "/etc/passwd"):
        with pytest.raises(Unsupported, match="not fetched"):
            intake.read(uri)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(intake: ImageIntake, orientation: int) -> None:
    """Pillow's own transposition is the reference."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    corner = pictures.sample()
    corner.paste("lime", (0, 0, 16, 16))
    data = pictures.encode(corner, "PNG", exif=exif)
    image = intake.read(data)
    with Image.open(BytesIO(data)) as opened:
        expected = ImageOps.exif_transpose(opened)
    assert image.picture.tobytes() == expected.tobytes()
    assert (image.source_width, image.source_height) == expected.size


def test_alpha_lies_on_white(intake: ImageIntake) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.putpixel((1, 1), (0, 0, 0, 128))
    picture = intake.read(pictures.encode(clear, "PNG")).picture
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert picture.getpixel((1, 1)) == (127, 127, 127)
    palette = Image.new("P", (4, 4), 0)
    data = pictures.encode(palette, "PNG", transparency=0)
    assert intake.read(data).picture.getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_keep_their_brightness(intake: ImageIntake) -> None:
    grey = Image.frombytes("I;16", (2, 1), (0x8000).to_bytes(2, "little") + b"\xff\xff")
    picture = intake.read(pictures.encode(grey, "PNG")).picture
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(128,) * 3, (255,) * 3]


def test_thirty_two_bits_of_grey_lose_the_low_ones() -> None:
    """Older versions of Pillow open 16-bit PNGs in this mode."""
    grey = Image.new("I", (1, 1), 0x8000)
    assert in_eight_bits(grey).getpixel((0, 0)) == 128


def test_large_screenshots_are_scaled_down_and_say_so() -> None:
    with ImageIntake(ImageLimits(out_pixels=20_000)) as intake:
        assert intake.read(pictures.png(200, 100, depth=1)).notes == ()
        image = intake.read(pictures.png(600, 300, depth=1))
    assert image.picture.size == (200, 100)
    assert (image.source_width, image.source_height) == (600, 300)
    assert image.notes == ("scaled down from 600 x 300",)
    most = ImageLimits().out_pixels
    assert bounded_size(3840, 2160, most) == (3840, 2160)  # a 4K screenshot stays as it is
    assert bounded_size(8192, 4800, most) == (3762, 2204)
    assert bounded_size(8192, 1, 100) == (905, 1)


def test_nothing_but_pixels_is_passed_on(intake: ImageIntake) -> None:
    exif = Image.Exif()
    exif[0x010E] = "CANARY"
    data = pictures.encode(pictures.sample(), "JPEG", exif=exif, comment=b"CANARY") + b"CANARY"
    assert b"CANARY" in data
    image = intake.read(data)
    assert b"CANARY" not in image.png()
    assert image.picture.info == {}
    with Image.open(BytesIO(image.png())) as again:
        assert again.tobytes() == image.picture.tobytes()
