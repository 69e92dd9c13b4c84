"""A class that is too long for the model is translated method by method, with its fields beside."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import PurePath

import pytest

from glm_context.async_syntax import AsyncSyntax
from glm_lsp.translation import TranslationTask, Translator
from glm_lsp.translation_layout import TranslatedUnit, whole_file
from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.errors import PromptTooLong
from glm_protocol.translation import TranslationRequest

SOURCE = """class Lamp:
    def __init__(self, watts: int) -> None:
        self.watts = watts

    def brighter(self) -> None:
        self.watts += 1

    def off(self) -> bool:
        return self.watts == 0
"""
SAID = {
    "javascript": "class Lamp {{\n  constructor(watts) {{\n    this.watts = watts;\n  }}\n"
    "  {0}() {{\n    return {0};\n  }}\n}}",
    "go": "type Lamp struct {{\n\twatts int\n}}\nfunc NewLamp(watts int) *Lamp {{\n"
    "\treturn &Lamp{{watts: watts}}\n}}\nfunc (self *Lamp) {0}() {{\n\tprintln()\n}}",
}


@pytest.mark.parametrize("target", ["javascript", "go"])
async def test_a_long_class_is_cut_into_its_methods(target: str) -> None:
    asked: list[str] = []

    async def stream(request: TranslationRequest) -> AsyncGenerator[Chunk, None]:
        asked.append(request.code)
        names = [name for name in ("brighter", "off") if name in request.code]
        if len(names) > 1:
            raise PromptTooLong("The unit does not fit.")
        end = End(finish=FinishReason.STOP, model="stub", report={"names": []})
        yield Chunk(text=SAID[target].format(names[0]))
        yield Chunk(end=end)

    syntax = AsyncSyntax()
    try:
        task = TranslationTask(
            text=SOURCE, source="python", target=target, path=PurePath("lamp.py")
        )
        done = await Translator(stream=stream, syntax=syntax).translate(task)
    finally:
        await syntax.aclose()
    assert len(asked) == 3
    assert all("self.watts = watts" in code for code in asked)
    assert done.text.count("Lamp struct" if target == "go" else "constructor") == 1
    assert done.text.index("brighter()") < done.text.index("off()")
    assert done.parses is True


def test_a_class_called_as_its_file_is_not_inside_one_of_its_name() -> None:
    unit = TranslatedUnit(kind="class", text="class Lamp {\n}")
    text = whole_file([unit], "java", PurePath("lamp.py"))
    assert text.startswith("class LampFile {")
    assert "static class Lamp {" in text
