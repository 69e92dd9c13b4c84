"""The command's table: every entry exists, help is whole, mistakes get one line."""

from importlib.util import find_spec

import pytest

from glm_lsp.cli.main import COMMANDS, dispatch, load, missing_package


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_loaded_and_has_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target, line = COMMANDS[name]
    assert find_spec(target.split(":")[0])
    with pytest.raises(SystemExit) as stop:
        load(target)(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"glm-lsp {name}" in text
    assert line


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["complet"]) == 2
    assert "'complet'" in capsys.readouterr().err


def test_a_missing_extra_names_the_install_line() -> None:
    assert "glm-lsp[local]" in missing_package(ModuleNotFoundError(name="torch"))
    assert "--force-reinstall" in missing_package(ModuleNotFoundError(name="httpx"))
