"""A picture's file as bytes, for commands and the language server: nothing is decoded here.

A path is opened without following a link and without waiting for a writer, and is read only when
it turned out to be a plain file, so that a FIFO, a device or a folder named `x.png` costs nothing.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
from pathlib import Path

from glm_protocol.chat import ImageData
from glm_protocol.errors import BadRequest
from glm_protocol.request_fields import MAX_IMAGE

MAX_SENT = MAX_IMAGE // 4 * 3  # bytes that a request can carry
_NOT_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def image_data(source: Path | bytes) -> ImageData:
    """What a chat carries. Raises BadRequest: not a plain file, empty, or too large to send."""
    data = read_picture_file(source, MAX_SENT) if isinstance(source, Path) else source
    check_size(len(data), MAX_SENT)
    if not data:
        where = f"{source} is" if isinstance(source, Path) else "The picture is"
        raise BadRequest(f"{where} empty.", remedy="Save it as PNG, JPEG, WebP or GIF.")
    return ImageData(data=base64.b64encode(data).decode("ascii"))


def read_picture_file(path: Path, max_bytes: int) -> bytes:
    """The whole file. Raises BadRequest, naming the path and what is wrong with it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        what = getattr(error, "strerror", None) or str(error)
        if getattr(error, "errno", None) == errno.ELOOP:
            what = "it is a symbolic link"
        raise BadRequest(f"{path} cannot be read: {what}.", remedy="Give a plain file.") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            name = next((name for test, name in _NOT_FILES if test(status.st_mode)), "no file")
            raise BadRequest(f"{path} is {name}, not a picture.", remedy="Give a plain file.")
        check_size(status.st_size, max_bytes)
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(max_bytes + 1)  # it may have grown meanwhile
    finally:
        os.close(descriptor)
    check_size(len(data), max_bytes)
    return data


def check_size(size: int, max_bytes: int) -> None:
    """Raises BadRequest over the limit."""
    if size > max_bytes:
        raise BadRequest(
            f"The picture has {size >> 20} MB; {max_bytes >> 20} MB is the most allowed.",
            remedy="Send a smaller picture.",
        )
