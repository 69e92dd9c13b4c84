"""One thread for small networks: on a busy machine more of them only wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

DATA = Path(__file__).parent.parent / "data" / "cogview"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data() -> Path:
    """The reference files kept in the repository."""
    return DATA


@pytest.fixture
def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)
