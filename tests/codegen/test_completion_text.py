"""Stop rules: where a completion ends, and that nothing shown is ever taken back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_codegen.completion_text import CompletionText
from glm_protocol.completion import CodeContext, CompletionMode

LINE, BLOCK = CompletionMode.LINE, CompletionMode.BLOCK


def run(
    text: str,
    *,
    mode: CompletionMode = BLOCK,
    prefix: str = "",
    suffix: str = "",
    stops: tuple[str, ...] = (),
    size: int = 1,
    by_model: bool = False,
) -> tuple[str, bool]:
    """(what was shown, whether a rule ended it), the text fed in pieces of `size`."""
    context = CodeContext(path="a", language="", prefix=prefix, suffix=suffix)
    rules = CompletionText(context, mode=mode, stops=stops)
    shown = ""
    for start in range(0, len(text), size):
        shown += rules.add(text[start : start + size])
        if rules.ended:
            return shown, True
    return shown + (rules.stop_by_model() if by_model else rules.finish()), False


SIZES = pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])


@SIZES
@pytest.mark.parametrize(
    ("text", "stops", "shown", "ended"),
    [
        ("abcSTOPdef", ("STOP",), "abc", True),
        ("abcSTdef", ("STOP",), "abcSTdef", False),
        ("abcST", ("STOP",), "abcST", False),
        ("aaab", ("aab",), "a", True),
        ("xENDyFIN", ("FIN", "END"), "x", True),
        ("STOP", ("STOP",), "", True),
        ("abc", (), "abc", False),
        ("ababac", ("abac", "zz"), "ab", True),
    ],
)
def test_stop_strings(
    text: str, stops: tuple[str, ...], shown: str, ended: bool, size: int
) -> None:
    assert run(text, stops=stops, size=size) == (shown, ended)


@SIZES
@pytest.mark.parametrize(
    ("text", "shown", "ended"),
    [
        ("x + 1\n    y", "x + 1", True),
        ("x + 1", "x + 1", False),
        ("\n    x\nz", "\n    x", True),
        ("\n\n  ", "\n\n  ", False),
        ("  \n x\n", "  \n x", True),
        ("", "", False),
    ],
)
def test_line_mode(text: str, shown: str, ended: bool, size: int) -> None:
    assert run(text, mode=LINE, size=size) == (shown, ended)


BODY = "\n    if x:\n        return 1\n\n    return 2"


@SIZES
@pytest.mark.parametrize(
    ("prefix", "suffix", "text", "shown"),
    [
        # A body below a line that opens it ends where the text returns to that line's level.
        ("def f(x):", "", BODY + "\n\n\ndef g():\n    pass", BODY),
        ("def f(x):", "", BODY + "\n# more\nx", BODY),
        ("if (x) {", "", "\n  a();\n}\nb();", "\n  a();\n}"),
        ("if (x) {", "", "\n  a();\n} else {\n  b();\n}\nc();", "\n  a();\n} else {\n  b();\n}"),
        ("try:", "", "\n    a\nexcept E:\n    b\nc = 1", "\n    a\nexcept E:\n    b"),
        ("def f", "", "(x)\n  a\nend\ndef g", "(x)\n  a\nend"),
        ("x = foo(", "", "\n    a,\n)\ny = 1", "\n    a,\n)"),
        # The rest of a statement and statements at its level go on until less is indented.
        ("    x = ", "", "1\n    y = 2\nz", "1\n    y = 2"),
        # On a blank line the first line of text sets the level.
        ("def f():\n    ", "", "a = 1\n    if a:\n        b\n    return\nc", None),
        ("def f():\n", "", "    a\n    b\nc", "    a\n    b"),
        ("", "", "a\nb\n  c\nd", "a\nb\n  c\nd"),
        # A repeated next line is not shown.
        ("a = 1\n", "\nprint(a)\n", "b = 2\nprint(a)\nc", "b = 2"),
        ("a = 1\n", "\nprint(a)\n", "b = 2\nprint(b)\nc", "b = 2\nprint(b)\nc"),
        ("a = 1\n", "print(a)\n", "print(a)\nc", "print(a)\nc"),  # the cursor's own line
        ("x = [", "\n]\n", "1\n]\n", "1\n]\n"),  # too short to be a repetition
    ],
)
def test_blocks(prefix: str, suffix: str, text: str, shown: str | None, size: int) -> None:
    wanted = text.removesuffix("\nc") if shown is None else shown
    assert run(text, prefix=prefix, suffix=suffix, size=size, by_model=True)[0] == wanted


def test_a_model_that_stops_meant_its_last_newline() -> None:
    assert run("y = 2\n", by_model=True) == ("y = 2\n", False)


def test_an_open_last_line_without_text_is_dropped() -> None:
    assert run("y = 2\n   ") == ("y = 2", False)


ALPHABET = st.sampled_from(["a", "b", " ", "  ", "\n", "}", "end", "else:", ":", "(", "def"])


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(ALPHABET, max_size=25),
    prefix=st.lists(ALPHABET, max_size=6).map("".join),
    suffix=st.lists(ALPHABET, max_size=6).map("".join),
    stops=st.lists(st.sampled_from(["ab", "ba}", "\n\n", "end "]), max_size=2),
    mode=st.sampled_from([LINE, BLOCK]),
    size=st.integers(1, 5),
)
def test_pieces_do_not_matter(
    parts: list[str],
    prefix: str,
    suffix: str,
    stops: list[str],
    mode: CompletionMode,
    size: int,
) -> None:
    """However a text is cut into tokens, the same is shown, and it is a start of the text."""
    text = "".join(parts)
    whole, _ = run(text, mode=mode, prefix=prefix, suffix=suffix, stops=tuple(stops), size=10**6)
    cut, _ = run(text, mode=mode, prefix=prefix, suffix=suffix, stops=tuple(stops), size=size)
    assert cut == whole
    assert text.startswith(cut)
    assert not any(stop in cut for stop in stops)
