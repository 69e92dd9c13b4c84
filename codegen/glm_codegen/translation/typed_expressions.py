"""The type of a Java or Go expression of an outline, and what in it cannot be.

A small reader of operators, calls and elements, for lines that a small model wrote. It knows what
the variables are and what the common library gives; everything else is unknown and never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from glm_codegen.translation.written_types import (
    BOOL,
    CHAR,
    FLOAT,
    INT,
    NUMBERS,
    STR,
    UNKNOWN,
    Kind,
    fits,
    read_type,
)

_TOKENS = re.compile(
    r"\s*(0\.[\ue000-\ue0ff]|0[\ue000-\ue0ff]|\d+\.\d+|\d+|\"[^\"]*\"|'[^']*'|[\ue000-\ue0ff]|\w+"
    r"|&&|\|\||[=!<>]=|\.\.\.|->|::|<-|.)"
)
_VERBS = re.compile(r"%[-+.\d]*([a-z])")
_LEVELS = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, ">": 4, "<=": 4, ">=": 4,
           "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}  # fmt: skip
_TEXT = {"length": INT, "charAt": CHAR, "substring": STR, "equals": BOOL, "isEmpty": BOOL,
         "contains": BOOL, "startsWith": BOOL, "endsWith": BOOL, "indexOf": INT, "trim": STR,
         "toUpperCase": STR, "toLowerCase": STR, "toCharArray": ("list", CHAR), "repeat": STR,
         "split": UNKNOWN, "replace": STR, "compareTo": INT, "chars": UNKNOWN, "lastIndexOf": INT,
         "hashCode": INT, "concat": STR, "strip": STR, "equalsIgnoreCase": BOOL,
         "join": STR, "valueOf": STR, "format": STR}  # fmt: skip
_JAVA: dict[str, dict[str, Kind]] = {
    "str": _TEXT,
    "list": {"add": BOOL, "get": ("of", 1), "set": ("of", 1), "size": INT, "isEmpty": BOOL,
             "contains": BOOL, "remove": ("of", 1), "indexOf": INT, "sort": UNKNOWN,
             "clear": UNKNOWN, "addAll": BOOL, "subList": UNKNOWN, "stream": UNKNOWN,
             "equals": BOOL, "iterator": UNKNOWN,
             "toArray": UNKNOWN, "getLast": ("of", 1), "getFirst": ("of", 1), "forEach": UNKNOWN},
    "set": {"add": BOOL, "contains": BOOL, "size": INT, "isEmpty": BOOL, "remove": BOOL,
            "addAll": BOOL, "stream": UNKNOWN, "clear": UNKNOWN, "equals": BOOL,
            "iterator": UNKNOWN},
    "map": {"put": ("of", 2), "get": ("of", 2), "getOrDefault": ("of", 2), "containsKey": BOOL,
            "size": INT, "isEmpty": BOOL, "keySet": UNKNOWN, "values": UNKNOWN, "entrySet": UNKNOWN,
            "remove": ("of", 2), "merge": ("of", 2), "containsValue": BOOL, "equals": BOOL,
            "putIfAbsent": ("of", 2), "computeIfAbsent": ("of", 2), "clear": UNKNOWN},
}  # fmt: skip
# Calls of the library: what the first argument has to be ("" for anything), and the result.
_CALLS: dict[str, tuple[str, Kind]] = {
    "len": ("sized", INT), "strconv.Itoa": ("int", STR), "fmt.Sprintf": ("str", STR),
    "strings.HasPrefix": ("str", BOOL), "strings.HasSuffix": ("str", BOOL),
    "strings.Contains": ("str", BOOL), "strings.ContainsRune": ("str", BOOL),
    "strings.ToUpper": ("str", STR), "strings.ToLower": ("str", STR), "strings.Join": ("list", STR),
    "slices.Contains": ("list", BOOL), "slices.Max": ("list", ("of", 1)),
    "slices.Min": ("list", ("of", 1)), "unicode.IsDigit": ("char", BOOL),
    "unicode.IsLetter": ("char", BOOL), "unicode.IsUpper": ("char", BOOL),
    "unicode.ToUpper": ("char", CHAR), "unicode.ToLower": ("char", CHAR),
    "math.Abs": ("float", FLOAT), "math.Sqrt": ("float", FLOAT), "math.Pow": ("float", FLOAT),
    "float64": ("number", FLOAT), "int": ("number", INT), "rune": ("number", CHAR),
    "string": ("", STR),
    "min": ("number", ("same",)), "max": ("number", ("same",)), "append": ("list", ("same",)),
    "Math.min": ("number", ("join",)), "Math.max": ("number", ("join",)),
    "Math.abs": ("number", ("same",)), "Math.sqrt": ("number", FLOAT),
    "Math.pow": ("number", FLOAT),
    "Math.floor": ("number", FLOAT), "String.valueOf": ("", STR), "String.join": ("str", STR),
    "Collections.max": ("list", ("of", 1)), "Collections.min": ("list", ("of", 1)),
    "Character.isDigit": ("char", BOOL), "Character.isLetter": ("char", BOOL),
    "Character.isUpperCase": ("char", BOOL), "Character.toUpperCase": ("char", CHAR),
    "Character.toLowerCase": ("char", CHAR), "Integer.parseInt": ("str", INT),
}  # fmt: skip


class ExpressionReader:
    """Reads one expression. `wrong` counts what cannot be; `literal`: it is one literal alone."""

    def __init__(self, text: str, language: str, variables: Mapping[str, Kind]) -> None:
        """`variables`: types by placeholder."""
        self._tokens = [found.group(1) for found in _TOKENS.finditer(text.strip())]
        self._at = 0
        self._language, self._variables = language, variables
        self.wrong = 0
        body = self._tokens[1:] if self._tokens[:1] == ["-"] else self._tokens
        self.literal = len(body) == 1 and (body[0][0].isdigit() or body[0][0] in "\"'")

    def read(self) -> Kind:
        """The type of the whole; unknown where something is left over."""
        kind = self._operators(0)
        return kind if self._at >= len(self._tokens) else UNKNOWN

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _operators(self, level: int) -> Kind:
        left = self._unary()
        while (own := _LEVELS.get(self._peek(), 0)) > level:
            sign = self._next()
            left = self._joined(sign, left, self._operators(own))
        if self._peek() == "?" and level == 0:
            self._next()
            self._want(left, BOOL)
            yes = self._operators(0)
            if self._next() == ":":
                self._operators(0)
            return yes
        return left

    def _want(self, kind: Kind, wanted: Kind) -> None:
        self.wrong += not fits(wanted, kind)

    def _joined(self, sign: str, left: Kind, right: Kind) -> Kind:
        if sign in ("&&", "||"):
            self._want(left, BOOL)
            self._want(right, BOOL)
            return BOOL
        known = "?" not in (left[0], right[0])
        if sign in ("==", "!="):
            text = known and STR in (left, right)
            self.wrong += known and not fits(left, right) and not fits(right, left)
            self.wrong += text and self._language == "java"
            return BOOL
        if sign in ("<", ">", "<=", ">="):
            ordered = (*NUMBERS, STR) if self._language == "go" else NUMBERS
            self.wrong += sum(k[0] != "?" and k not in ordered for k in (left, right))
            return BOOL
        if sign == "+" and STR in (left, right):
            self.wrong += known and self._language == "go" and left != right
            self.wrong += any(kind[0] in ("list", "map", "set") for kind in (left, right))
            return STR
        self.wrong += sum(kind[0] != "?" and kind not in NUMBERS for kind in (left, right))
        if not known:
            return UNKNOWN
        if FLOAT in (left, right):
            return FLOAT
        return left if self._language == "go" else INT

    def _unary(self) -> Kind:
        if self._peek() in ("!", "-", "*", "&"):
            sign = self._next()
            kind = self._unary()
            if sign == "!":
                self._want(kind, BOOL)
                return BOOL
            return kind if sign == "-" else UNKNOWN
        return self._postfix(self._atom())

    def _atom(self) -> Kind:
        token = self._next()
        if token == "(":
            inner = self._cast_or_inner()
            return inner
        if token[:1].isdigit():
            return FLOAT if "." in token else INT
        if token[:1] == '"':
            return STR
        if token[:1] == "'":
            return CHAR
        if token in ("true", "false"):
            return BOOL
        if token in ("new", "[", "map", "func"):
            return self._made(token)
        if "\ue000" <= token[:1] <= "\ue0ff":
            if self._peek() == "(":
                self._arguments()
                return UNKNOWN
            self.wrong += token not in self._variables
            return self._variables.get(token, UNKNOWN)
        while self._peek() == "." and token in _PACKAGES:
            self._next()
            token += "." + self._next()
        if self._peek() == "(":
            return self._call(token)
        self.wrong += token not in self._variables and token[:1].islower() and token not in _WORDS
        return self._variables.get(token, UNKNOWN)

    def _cast_or_inner(self) -> Kind:
        cast = self._peek() if self._tokens[self._at + 1 : self._at + 2] == [")"] else ""
        if self._language == "java" and cast in ("double", "int", "char"):
            self._at += 2
            self._unary()
            return read_type(cast, "java")
        kind = self._operators(0)
        if self._next() != ")":
            self._at = len(self._tokens) + 1
        return kind

    def _made(self, token: str) -> Kind:
        """`new …<>(…)`, `[]int{…}`, `map[…]…{…}`: the type up to its bracket, and no further."""
        stop = "(" if token == "new" else "{"
        text = "" if token == "new" else token
        while self._peek() and self._peek() != stop:
            text += self._next()
        depth = 0
        while self._peek():
            sign = self._next()
            depth += (sign in "({[") - (sign in ")}]")
            if depth == 0:
                break
        if token == "new":
            text = text.replace("<>", "<?,?>" if "Map" in text else "<?>")
        return read_type(text, self._language)

    def _arguments(self) -> list[Kind]:
        self._next()
        found: list[Kind] = []
        while self._peek() and self._peek() != ")":
            found.append(self._operators(0))
            while self._peek() and self._peek() not in (",", ")"):
                self._next()  # a lambda or something as strange
            if self._peek() == ",":
                self._next()
        self._next()
        return found

    def _call(self, name: str) -> Kind:
        pattern = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""
        given = self._arguments()
        if name == "fmt.Sprintf":
            verbs = _VERBS.findall(pattern)
            self.wrong += pattern[:1] == '"' and len(verbs) != len(given) - 1
            self.wrong += sum(
                kind[0] != "?" and (kind == STR) != (verb == "s")
                for verb, kind in zip(verbs, given[1:], strict=False)
                if verb in "ds"
            )
        wanted, result = _CALLS.get(name, ("", UNKNOWN))
        self.wrong += name not in _CALLS and name not in _BUILTIN and name.islower()
        first = given[0] if given else UNKNOWN
        if wanted and first[0] != "?":
            groups = {"sized": ("str", "list", "map", "set"), "number": ("int", "float", "char")}
            self.wrong += first[0] not in groups.get(wanted, (wanted,))
        spread = self._tokens[self._at - 2 : self._at] == ["...", ")"]
        if wanted == "number":
            self.wrong += sum(
                kind[0] in ("list", "map", "set", "str", "bool") for kind in given[1:]
            )
        if name == "append" and len(given) == 2 and first[0] == "list" and not spread:
            literal = "number" if given[1] == INT else ""
            self.wrong += not fits(first[1], given[1], wide=False, literal=bool(literal))
        if result[0] == "same":
            return first
        if result[0] == "join":
            return FLOAT if FLOAT in given else first
        return self._of(result, first)

    def _of(self, result: Kind, holder: Kind) -> Kind:
        if result[0] == "of":
            return holder[result[1]] if len(holder) > result[1] else UNKNOWN
        return result

    def _postfix(self, kind: Kind) -> Kind:
        while True:
            if self._peek() == "[":
                kind = self._element(kind)
            elif self._peek() == "." and self._tokens[self._at + 2 : self._at + 3] == ["("]:
                self._next()
                kind = self._method(kind, self._next())
            elif self._peek() == "." and self._at + 1 < len(self._tokens):
                self._at += 1
                kind = self._variables.get("." + self._next(), UNKNOWN)
            else:
                return kind

    def _element(self, kind: Kind) -> Kind:
        self._next()
        colon = False
        while self._peek() and self._peek() != "]":
            if self._peek() == ":":
                colon = True
                self._next()
                continue
            before = self._at
            self._operators(0)
            if self._at == before:
                break
        if self._next() != "]":
            self._at = len(self._tokens) + 1
        if self._language == "java" or kind in (*NUMBERS, BOOL):
            self.wrong += kind[0] != "?"
            return UNKNOWN
        if colon:
            return kind
        return CHAR if kind == STR else kind[-1] if kind[0] in ("list", "map") else UNKNOWN

    def _method(self, kind: Kind, name: str) -> Kind:
        given = self._arguments()
        if kind[0] == "?" or name in _OF_ALL:
            return _OF_ALL.get(name, UNKNOWN) if self._language == "java" else UNKNOWN
        known = _JAVA.get(kind[0], {}) if self._language == "java" else {}
        if name not in known:
            self.wrong += 1
            return UNKNOWN
        if name == "add" and len(given) == 1:
            self.wrong += not fits(kind[1], given[0], wide=False)
        if name in ("put", "getOrDefault") and len(given) == 2:
            self.wrong += not fits(kind[1], given[0], wide=False)
            self.wrong += not fits(kind[2], given[1], wide=False)
        elif name in ("put", "getOrDefault"):
            self.wrong += 1
        return self._of(known[name], kind)


_BUILTIN = frozenset({"make", "panic", "delete", "copy", "cap", "super"})
_WORDS = frozenset({"this", "self", "null", "nil", "key", "value", "entry", "it"})
_OF_ALL = {"equals": BOOL, "compareTo": INT, "hashCode": INT, "toString": STR}  # boxed ones too
_PACKAGES = frozenset({"strconv", "fmt", "strings", "slices", "unicode", "math", "sort", "Math",
                       "String", "Collections", "Character", "Integer", "List", "Arrays",
                       "Double", "Boolean"})  # fmt: skip
