"""How models of the CodeGeeX family are asked for a translation: their own published forms.

CodeGeeX and CodeGeeX2 continue a page of two labelled listings; CodeGeeX4, as any model that
chats, is asked in words. Which of them a model takes is told by its folder, not by its name.
"""

from __future__ import annotations

from collections.abc import Sequence

from glm_codegen.prompt_formats.language_names import language_name

# CodeGeeX4's system prompt for translations, after the guide of its authors.
SYSTEM = (
    "You are an intelligent programming assistant named CodeGeeX. You will answer any questions"
    " users have about programming, coding, and computers, and provide code that is formatted"
    " correctly, executable, accurate, and secure, and offer detailed explanations when necessary."
    " Task: translate the code the user gives into another programming language. Target language:"
    " {target}."
)
ASK = (
    "{code}\n\ntranslate the above code snippet into {target}, only output the translation result,"
    " without explanation."
)
NAMES = "\n\nUse these names in the translation: {names}."


def listing_prompt(code: str, source: str, target: str) -> str:
    """CodeGeeX's form: `code translation`, the source under its label, the target's label."""
    return (
        f"code translation\n{language_name(source)}:\n{code.rstrip()}\n{language_name(target)}:\n"
    )


def question(code: str, target: str, names: Sequence[str]) -> str:
    """The user's turn of a chat."""
    asked = ASK.format(code=code.rstrip(), target=language_name(target))
    return asked + (NAMES.format(names="; ".join(names)) if names else "")


class FencedText:
    """The code of an answer that may stand between fences of Markdown; shown line by line."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._held = ""
        self._inside = False
        self._begun = False
        self.ended = False

    def add(self, piece: str) -> str:
        """See `AnswerText`."""
        self._held += piece
        shown = ""
        while "\n" in self._held and not self.ended:
            line, self._held = self._held.split("\n", 1)
            shown += self._line(line, "\n")
        return shown

    def finish(self) -> str:
        """The last line."""
        line, self._held = self._held, ""
        return "" if self.ended or not line else self._line(line, "")

    def stop_by_model(self) -> str:
        """The last line."""
        return self.finish()

    def _line(self, line: str, end: str) -> str:
        if line.lstrip().startswith("```"):
            self.ended, self._inside, self._begun = self._inside, not self._inside, True
            return ""
        if not self._begun and not line.strip():
            return ""
        self._begun = True
        return line + end


class ListingText:
    """The first unit of a listing: it ends where the next label or another unit would begin."""

    def __init__(self, target: str) -> None:
        """`target` is a language id."""
        self._python = target == "python"
        self._held = ""
        self._depth = 0
        self._opened = False
        self._body = False
        self.ended = False

    def add(self, piece: str) -> str:
        """See `AnswerText`."""
        self._held += piece
        shown = ""
        while "\n" in self._held and not self.ended:
            line, self._held = self._held.split("\n", 1)
            shown += self._line(line)
        return shown

    def finish(self) -> str:
        """The last line."""
        line, self._held = self._held, ""
        return "" if self.ended or not line else self._line(line).removesuffix("\n")

    def stop_by_model(self) -> str:
        """The last line."""
        return self.finish()

    def _line(self, line: str) -> str:
        label = line.endswith(":") and language_names_label(line[:-1])
        if label or line.strip() == "code translation":
            self.ended = True
            return ""
        if self._python:
            top = bool(line.strip()) and not line[0].isspace()
            if (
                top
                and self._body
                and not line.startswith(("else", "elif", "except", "finally", ")"))
            ):
                self.ended = True
                return ""
            self._body = self._body or line[:1].isspace()
            return line + "\n"
        self._depth += line.count("{") - line.count("}")
        self._opened = self._opened or "{" in line
        if self._opened and self._depth <= 0:
            self.ended = True
        return line + "\n"


def language_names_label(text: str) -> bool:
    """Whether a text is a label of a listing."""
    return text in {"Python", "Java", "Go", "C++", "JavaScript", "C", "C#", "TypeScript", "Rust",
                    "Kotlin", "PHP", "Ruby"}  # fmt: skip
