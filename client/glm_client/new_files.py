"""Files that an answer becomes: written whole or not at all, and never over another file.

A file is written beside its place under a hidden name and then linked into place, which fails
where something of that name has appeared meanwhile. A taken name gets -1, -2 … before its suffix.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from glm_protocol.errors import BadRequest

MOST_TRIES = 1000


def write_new(wanted: Path, data: bytes) -> Path:
    """Where the bytes stand now: `wanted`, or the first free name after it. Raises BadRequest."""
    part = _written_beside(wanted, data)
    try:
        for number in range(MOST_TRIES):
            place = wanted if number == 0 else numbered(wanted, number)
            try:
                _link(part, place)
            except FileExistsError:
                continue
            return place
    except OSError as error:
        raise refused(wanted, error) from error
    finally:
        part.unlink(missing_ok=True)
    raise BadRequest(f"There are {MOST_TRIES} files named like {wanted}.", remedy="Tidy up.")


def numbered(place: Path, number: int) -> Path:
    """`picture.png` -> `picture-2.png`."""
    return place.with_name(f"{place.stem}-{number}{place.suffix}")


def new_folder(wanted: Path) -> Path:
    """An empty folder of that name, or of the first free name after it. Raises BadRequest."""
    try:
        for number in range(MOST_TRIES):
            place = wanted if number == 0 else wanted.with_name(f"{wanted.name}-{number}")
            if place.is_dir() and not any(place.iterdir()):
                return place
            with contextlib.suppress(FileExistsError):
                place.mkdir(parents=True)
                return place
    except OSError as error:
        raise refused(wanted, error) from error
    raise BadRequest(f"There are {MOST_TRIES} folders named like {wanted}.", remedy="Tidy up.")


def check_writable(folder: Path) -> None:
    """Raises BadRequest now rather than after minutes of work."""
    if not folder.is_dir():
        raise BadRequest(f"There is no folder {folder}.", remedy="Make it, or name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadRequest(f"The folder {folder} may not be written.", remedy="Name another.")


def refused(place: Path, error: OSError) -> BadRequest:
    """A sentence for what the system said; nothing is left behind."""
    if error.errno == errno.ENOSPC:
        return BadRequest(f"The disk of {place} is full.", remedy="Make room; nothing was written.")
    return BadRequest(
        f"{place} cannot be written ({error.strerror}).", remedy="Name another place."
    )


def _written_beside(wanted: Path, data: bytes) -> Path:
    try:
        fd, name = tempfile.mkstemp(dir=wanted.parent, prefix=".glm-lsp-", suffix=".part")
    except OSError as error:
        raise refused(wanted, error) from error
    part = Path(name)
    try:
        with os.fdopen(fd, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(fd)
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)  # as any other new file of the user
    except OSError as error:
        part.unlink(missing_ok=True)
        raise refused(wanted, error) from error
    return part


def _link(part: Path, place: Path) -> None:
    """Raises FileExistsError. File systems without hard links get an exclusive copy."""
    try:
        os.link(part, place)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS):
            raise
        with place.open("xb") as stream:
            try:
                stream.write(part.read_bytes())
            except OSError:
                place.unlink()
                raise
