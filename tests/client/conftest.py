"""Fixtures: private folders and the stub daemon in them."""

from tests.client.fixtures import daemon, folders

__all__ = ["daemon", "folders"]
