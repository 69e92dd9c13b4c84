"""Folders come from the environment alone, and never from a place others can write."""

from pathlib import Path

import pytest

from glm_protocol.folders import user_folders


def test_the_two_variables_move_everything() -> None:
    folders = user_folders({"GLM_LSP_HOME": "/h", "GLM_LSP_RUNTIME": "/r"})
    assert folders.registry == Path("/h/models.json")
    assert folders.socket == Path("/r/daemon.sock")
    assert folders.lock.parent == folders.log.parent == Path("/r")


def test_without_a_runtime_folder_the_home_is_used() -> None:
    folders = user_folders({"HOME": "/home/u"})
    assert folders.runtime.is_relative_to("/home/u")


def test_xdg_is_honoured() -> None:
    folders = user_folders({"HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/1"})
    assert folders.runtime == Path("/run/user/1/glm-lsp")


def test_no_home_is_an_error_that_says_what_to_set() -> None:
    with pytest.raises(ValueError, match="GLM_LSP_HOME"):
        user_folders({})
