"""What the corpus keeps, drops and hides."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from recipes.nano_code import archive, licence, source_filter
from recipes.nano_code.corpus import SeenLines, archive_version, inner_path
from recipes.nano_code.package_table import read_got, read_wanted
from recipes.nano_code.secret_scrub import scrub

CODE = "def area(width, height):\n    return width * height\n" * 12


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ("MIT", True), ("Apache-2.0 OR GPL-2.0-or-later", True), ("BSD-3-Clause", True),
        ("GPL-3.0", False), ("LGPL-2.1", False), ("MPL-2.0", False), ("", False),
        ("MIT AND GPL-2.0", False), ("(MIT OR CC0-1.0)", True), ("Apache-2.0 and Expat", True),
        ("Commercial", False), ("zlib/libpng", True),
    ],
)  # fmt: skip
def test_licences(stated: str, kept: bool) -> None:
    assert licence.is_permissive(stated) is kept


def test_licences_are_read_from_each_registrys_metadata() -> None:
    assert licence.wheel_licence("Name: a\nLicense-Expression: MIT\n\nLicense: GPL") == "MIT"
    assert licence.npm_licence('{"license": {"type": "ISC"}}') == "ISC"
    assert licence.npm_licence("[]") == ""
    dep5 = "Format: x\n\nFiles: *\nCopyright: y\nLicense: Expat\n\nFiles: debian/*\nLicense: GPL-2"
    assert licence.debian_licence(dep5) == "Expat"


def test_a_file_under_other_terms_is_left_out() -> None:
    assert not licence.file_is_permissive("# GNU General Public License\n" + CODE)
    assert licence.file_is_permissive(CODE)


@pytest.mark.parametrize(
    "path",
    ["a/_vendor/b.py", "a/tests/b.py", "a/b.txt", "node_modules/x.py", "a/test_x.py"],
)
def test_paths_that_are_not_read(path: str) -> None:
    assert source_filter.file_language("Python", path) is None


def test_headers_are_read_in_their_packages_language() -> None:
    assert source_filter.file_language("C", "src/a.h") == "C"
    assert source_filter.file_language("C++", "src/a.h") == "C++"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n", "size"),
        ("# @generated\n" + CODE, "generated"),
        (CODE + "x = '" + "a" * 500 + "'\n", "minified or data"),
        ("1, 2, 3, 4, 55, 66\n" * 40, "data"),
    ],
)
def test_reasons_to_leave_a_file_out(text: str, reason: str) -> None:
    assert source_filter.why_not(text) == reason


def test_source_is_kept_without_its_licence_header() -> None:
    raw = ("# Copyright 2020 Somebody\r\n# Licensed under MIT\r\n\r\n" + CODE).encode()
    text = source_filter.clean_text(raw)
    assert text == CODE
    assert source_filter.why_not(text) is None
    assert source_filter.clean_text(b"\xff\xfe") is None


def test_secrets_are_hidden_and_ordinary_code_is_left_alone() -> None:
    leaky = (
        'API_KEY = "abcd1234efgh5678"\nmail = "somebody@company.org"\n'
        "aws = 'AKIAABCDEFGHIJKLMNOP'\n"
    )
    clean = scrub(leaky)
    assert clean is not None
    assert "abcd1234" not in clean
    assert "company.org" not in clean
    assert "AKIAABCD" not in clean
    assert scrub("-----BEGIN RSA PRIVATE KEY-----") is None
    assert scrub(CODE) == CODE


def test_scrubbing_takes_linear_time() -> None:
    hostile = "password" * 4000 + "a@" * 20_000 + "x" * 40_000
    began = time.monotonic()
    scrub(hostile)
    assert time.monotonic() - began < 5


def test_near_duplicates_are_dropped() -> None:
    seen = SeenLines()
    lines = [f"value_{number} = compute_something({number})" for number in range(40)]
    assert seen.is_new("\n".join(lines))
    assert not seen.is_new("\n".join([*lines[:35], "another_line = of_some_length()"]))
    assert seen.is_new("\n".join(f"other_{number} = entirely_different()" for number in range(9)))


def test_archives_are_read_in_memory(tmp_path: Path) -> None:
    wheel = tmp_path / "demo-1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr("demo/a.py", CODE)
        made.writestr("demo/huge.py", "x" * (archive.MAX_FILE_BYTES + 1))
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        member = tarfile.TarInfo("../../outside.py")
        member.size = len(CODE)
        tar.addfile(member, io.BytesIO(CODE.encode()))
    packed = tmp_path / "demo-1.2.tgz"
    packed.write_bytes(raw.getvalue())
    wanted = lambda path: path.endswith(".py")  # noqa: E731
    assert [name for name, _ in archive.archive_members(wheel, wanted)] == ["demo/a.py"]
    assert [name for name, _ in archive.archive_members(packed, wanted)] == ["../../outside.py"]
    assert {path.name for path in tmp_path.iterdir()} == {packed.name, wheel.name}


def test_versions_and_inner_paths() -> None:
    assert archive_version("pypi", ["demo-1.2-py3-none-any.whl"]) == "1.2"
    assert archive_version("npm", ["demo-name-2.0.1.tgz"]) == "2.0.1"
    assert archive_version("debian-source", ["curl_7.88.1-10.dsc"]) == "7.88.1-10"
    assert inner_path("package/src/a.ts") == "src/a.ts"
    assert inner_path("./usr/share/cargo/registry/serde-1.0/src/a.rs") == "src/a.rs"


def test_the_committed_tables_agree() -> None:
    wanted = {(package.registry, package.name) for package in read_wanted()}
    kept = [package for package in read_got() if not package.note]
    assert {(package.registry, package.name) for package in kept} <= wanted
    assert all(licence.is_permissive(package.licence) for package in kept)
    # Repositories that later evaluations use stay out of the corpus.
    assert not {"networkx", "httpx", "anyio", "click", "glm-lsp"} & {p.name for p in kept}
    for language in {package.language for package in kept}:
        held = [p for p in kept if p.language == language and p.split == "held-out"]
        assert len(held) >= 2, language
