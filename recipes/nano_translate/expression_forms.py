"""How each language writes each kind of expression: a template, its precedence, its arguments'.

Precedences: 1 conditional, 2 or, 3 and, 4 Python's not, 5 equality, 6 order, 8 sum, 9 product,
10 sign, 11 power, 12 postfix, 13 atom. An argument of a lower precedence gets parentheses.
"""

from __future__ import annotations

from recipes.nano_translate.program import Expr, Type

LANGUAGES = ("python", "java", "javascript", "cpp", "go")
Form = tuple[str, int, tuple[int, ...]]


def _same(template: str, level: int, *args: int) -> dict[str, Form]:
    return dict.fromkeys(LANGUAGES, (template, level, args))


def _each(level: int, args: tuple[int, ...], *templates: str) -> dict[str, Form]:
    return {lang: (text, level, args) for lang, text in zip(LANGUAGES, templates, strict=True)}


_ANY = (0, 0, 0)
FORMS: dict[str, dict[str, Form]] = {
    "add": _same("{0} + {1}", 8, 8, 9),
    "sub": _same("{0} - {1}", 8, 8, 9),
    "mul": _same("{0} * {1}", 9, 9, 10),
    "mod": _same("{0} % {1}", 9, 9, 10),
    "fdiv": _same("{0} / {1}", 9, 9, 10),
    "neg": _same("-{0}", 10, 12),
    "idiv": _same("{0} / {1}", 9, 9, 10)
    | {"python": ("{0} // {1}", 9, (9, 10)), "javascript": ("Math.floor({0} / {1})", 12, (9, 10))},
    "ratio": {
        "python": ("{0} / {1}", 9, (9, 10)),
        "java": ("(double) {0} / {1}", 9, (12, 10)),
        "javascript": ("{0} / {1}", 9, (9, 10)),
        "cpp": ("(double){0} / {1}", 9, (12, 10)),
        "go": ("float64({0}) / float64({1})", 9, (0, 0)),
    },
    "to_float": _same("{0}", 8, 8) | {"go": ("float64({0})", 12, (0,))},
    "to_int": _each(12, (12,), "int({0})", "(int) {0}", "Math.trunc({0})", "(int){0}", "int({0})")
    | {
        "python": ("int({0})", 12, (0,)),
        "java": ("(int) {0}", 10, (12,)),
        "javascript": ("Math.trunc({0})", 12, (0,)),
        "cpp": ("(int){0}", 10, (12,)),
        "go": ("int({0})", 12, (0,)),
    },
    "lt": _same("{0} < {1}", 6, 8, 8),
    "le": _same("{0} <= {1}", 6, 8, 8),
    "gt": _same("{0} > {1}", 6, 8, 8),
    "ge": _same("{0} >= {1}", 6, 8, 8),
    "eq": _same("{0} == {1}", 5, 8, 8) | {"javascript": ("{0} === {1}", 5, (8, 8))},
    "ne": _same("{0} != {1}", 5, 8, 8) | {"javascript": ("{0} !== {1}", 5, (8, 8))},
    "str_eq": _same("{0} == {1}", 5, 8, 8)
    | {"javascript": ("{0} === {1}", 5, (8, 8)), "java": ("{0}.equals({1})", 12, (12, 0))},
    "str_ne": _same("{0} != {1}", 5, 8, 8)
    | {"javascript": ("{0} !== {1}", 5, (8, 8)), "java": ("!{0}.equals({1})", 10, (12, 0))},
    "and": _same("{0} && {1}", 3, 3, 4) | {"python": ("{0} and {1}", 3, (3, 4))},
    "or": _same("{0} || {1}", 2, 2, 3) | {"python": ("{0} or {1}", 2, (2, 3))},
    "not": _same("!{0}", 10, 12) | {"python": ("not {0}", 4, (5,))},
    "cond": _same("{0} ? {1} : {2}", 1, 2, 2, 2)
    | {"python": ("{1} if {0} else {2}", 1, (2, 2, 2))},
    "min2": _each(
        12,
        _ANY,
        "min({0}, {1})",
        "Math.min({0}, {1})",
        "Math.min({0}, {1})",
        "std::min({0}, {1})",
        "min({0}, {1})",
    ),
    "max2": _each(
        12,
        _ANY,
        "max({0}, {1})",
        "Math.max({0}, {1})",
        "Math.max({0}, {1})",
        "std::max({0}, {1})",
        "max({0}, {1})",
    ),
    "abs": _each(
        12,
        _ANY,
        "abs({0})",
        "Math.abs({0})",
        "Math.abs({0})",
        "std::abs({0})",
        "int(math.Abs(float64({0})))",
    ),
    "fabs": _each(
        12, _ANY, "abs({0})", "Math.abs({0})", "Math.abs({0})", "std::abs({0})", "math.Abs({0})"
    ),
    "sqrt": _each(
        12,
        _ANY,
        "math.sqrt({0})",
        "Math.sqrt({0})",
        "Math.sqrt({0})",
        "std::sqrt({0})",
        "math.Sqrt({0})",
    ),
    "fpow": _each(
        12,
        _ANY,
        "{0} ** {1}",
        "Math.pow({0}, {1})",
        "Math.pow({0}, {1})",
        "std::pow({0}, {1})",
        "math.Pow({0}, {1})",
    )
    | {"python": ("{0} ** {1}", 11, (12, 12))},
    # texts
    "str_len": _each(
        12, (12,), "len({0})", "{0}.length()", "{0}.length", "(int){0}.length()", "len({0})"
    )
    | {"python": ("len({0})", 12, (0,)), "go": ("len({0})", 12, (0,))},
    "char_at": _same("{0}[{1}]", 12, 12, 0)
    | {"java": ("{0}.charAt({1})", 12, (12, 0)), "go": ("rune({0}[{1}])", 12, (12, 0))},
    "concat": _same("{0} + {1}", 8, 8, 9),
    "cat_char": _same("{0} + {1}", 8, 8, 9) | {"go": ("{0} + string({1})", 8, (8, 0))},
    "char_cat": _same("{0} + {1}", 8, 8, 9) | {"go": ("string({0}) + {1}", 8, (0, 9))},
    "char_str": _each(
        12, (0,), "{0}", "String.valueOf({0})", "{0}", "std::string(1, {0})", "string({0})"
    ),
    "int_str": _each(
        12,
        (0,),
        "str({0})",
        "String.valueOf({0})",
        "String({0})",
        "std::to_string({0})",
        "strconv.Itoa({0})",
    ),
    "substr": _each(
        12,
        (12, 0, 0),
        "{0}[{1}:{2}]",
        "{0}.substring({1}, {2})",
        "{0}.substring({1}, {2})",
        "{0}.substr({1}, {2} - {1})",
        "{0}[{1}:{2}]",
    ),
    "head": _each(
        12,
        (12, 0),
        "{0}[:{1}]",
        "{0}.substring(0, {1})",
        "{0}.substring(0, {1})",
        "{0}.substr(0, {1})",
        "{0}[:{1}]",
    ),
    "tail": _each(
        12,
        (12, 0),
        "{0}[{1}:]",
        "{0}.substring({1})",
        "{0}.substring({1})",
        "{0}.substr({1})",
        "{0}[{1}:]",
    ),
    "starts": _each(
        12,
        (12, 0),
        "{0}.startswith({1})",
        "{0}.startsWith({1})",
        "{0}.startsWith({1})",
        "{0}.starts_with({1})",
        "strings.HasPrefix({0}, {1})",
    ),
    "ends": _each(
        12,
        (12, 0),
        "{0}.endswith({1})",
        "{0}.endsWith({1})",
        "{0}.endsWith({1})",
        "{0}.ends_with({1})",
        "strings.HasSuffix({0}, {1})",
    ),
    "str_has": _each(
        12,
        (12, 0),
        "{1} in {0}",
        "{0}.contains({1})",
        "{0}.includes({1})",
        "{0}.find({1}) != std::string::npos",
        "strings.Contains({0}, {1})",
    )
    | {
        "python": ("{1} in {0}", 6, (8, 8)),
        "cpp": ("{0}.find({1}) != std::string::npos", 5, (12, 0)),
    },
    "char_in": _each(
        12,
        (12, 0),
        "{1} in {0}",
        "{0}.indexOf({1}) >= 0",
        "{0}.includes({1})",
        "{0}.find({1}) != std::string::npos",
        "strings.ContainsRune({0}, {1})",
    )
    | {
        "python": ("{1} in {0}", 6, (8, 8)),
        "java": ("{0}.indexOf({1}) >= 0", 6, (12, 0)),
        "cpp": ("{0}.find({1}) != std::string::npos", 5, (12, 0)),
    },
    "is_digit": _each(
        12,
        (0,),
        "{0}.isdigit()",
        "Character.isDigit({0})",
        '{0} >= "0" && {0} <= "9"',
        "std::isdigit({0})",
        "unicode.IsDigit({0})",
    )
    | {"python": ("{0}.isdigit()", 12, (12,)), "javascript": ('{0} >= "0" && {0} <= "9"', 3, (8,))},
    "is_upper": _each(
        12,
        (0,),
        "{0}.isupper()",
        "Character.isUpperCase({0})",
        '{0} >= "A" && {0} <= "Z"',
        "std::isupper({0})",
        "unicode.IsUpper({0})",
    )
    | {"python": ("{0}.isupper()", 12, (12,)), "javascript": ('{0} >= "A" && {0} <= "Z"', 3, (8,))},
    "is_alpha": _each(
        12,
        (0,),
        "{0}.isalpha()",
        "Character.isLetter({0})",
        "{0}.toLowerCase() !== {0}.toUpperCase()",
        "std::isalpha({0})",
        "unicode.IsLetter({0})",
    )
    | {
        "python": ("{0}.isalpha()", 12, (12,)),
        "javascript": ("{0}.toLowerCase() !== {0}.toUpperCase()", 5, (12,)),
    },
    "char_upper": _each(
        12,
        (0,),
        "{0}.upper()",
        "Character.toUpperCase({0})",
        "{0}.toUpperCase()",
        "(char)std::toupper({0})",
        "unicode.ToUpper({0})",
    )
    | {"python": ("{0}.upper()", 12, (12,)), "javascript": ("{0}.toUpperCase()", 12, (12,))},
    "char_lower": _each(
        12,
        (0,),
        "{0}.lower()",
        "Character.toLowerCase({0})",
        "{0}.toLowerCase()",
        "(char)std::tolower({0})",
        "unicode.ToLower({0})",
    )
    | {"python": ("{0}.lower()", 12, (12,)), "javascript": ("{0}.toLowerCase()", 12, (12,))},
    "ord": _each(12, (12,), "ord({0})", "(int) {0}", "{0}.charCodeAt(0)", "(int){0}", "int({0})")
    | {"java": ("(int) {0}", 10, (12,)), "cpp": ("(int){0}", 10, (12,))},
    "chr": _each(
        12, (0,), "chr({0})", "(char) ({0})", "String.fromCharCode({0})", "(char)({0})", "rune({0})"
    )
    | {"java": ("(char) ({0})", 10, (0,)), "cpp": ("(char)({0})", 10, (0,))},
    "digit_of": _each(
        8, (12,), "int({0})", "{0} - '0'", "Number({0})", "{0} - '0'", "int({0} - '0')"
    )
    | {
        "python": ("int({0})", 12, (0,)),
        "javascript": ("Number({0})", 12, (0,)),
        "go": ("int({0} - '0')", 12, (8,)),
    },
    # lists
    "list_len": _each(
        12, (12,), "len({0})", "{0}.size()", "{0}.length", "(int){0}.size()", "len({0})"
    ),
    "at": _same("{0}[{1}]", 12, 12, 0) | {"java": ("{0}.get({1})", 12, (12, 0))},
    "last": _each(
        12,
        (12,),
        "{0}[-1]",
        "{0}.get({0}.size() - 1)",
        "{0}[{0}.length - 1]",
        "{0}.back()",
        "{0}[len({0})-1]",
    ),
    "list_has": _each(
        12,
        (12, 0),
        "{1} in {0}",
        "{0}.contains({1})",
        "{0}.includes({1})",
        "std::find({0}.begin(), {0}.end(), {1}) != {0}.end()",
        "slices.Contains({0}, {1})",
    )
    | {
        "python": ("{1} in {0}", 6, (8, 8)),
        "cpp": ("std::find({0}.begin(), {0}.end(), {1}) != {0}.end()", 5, (12, 0)),
    },
    "list_max": _each(
        12,
        (12,),
        "max({0})",
        "Collections.max({0})",
        "Math.max(...{0})",
        "*std::max_element({0}.begin(), {0}.end())",
        "slices.Max({0})",
    ),
    "list_min": _each(
        12,
        (12,),
        "min({0})",
        "Collections.min({0})",
        "Math.min(...{0})",
        "*std::min_element({0}.begin(), {0}.end())",
        "slices.Min({0})",
    ),
    "empty": {
        "python": ("not {0}", 4, (5,)),
        "java": ("{0}.isEmpty()", 12, (12,)),
        "javascript": ("{0}.length === 0", 5, (12,)),
        "cpp": ("{0}.empty()", 12, (12,)),
        "go": ("len({0}) == 0", 5, (0,)),
    },
    "char_range": _each(
        3,
        (8, 8, 8),
        "{1} <= {0} <= {2}",
        "{0} >= {1} && {0} <= {2}",
        "{0} >= {1} && {0} <= {2}",
        "{0} >= {1} && {0} <= {2}",
        "{0} >= {1} && {0} <= {2}",
    )
    | {"python": ("{1} <= {0} <= {2}", 6, (8, 8, 8))},
    "copy": _each(
        12,
        (12,),
        "list({0})",
        "new ArrayList<>({0})",
        "[...{0}]",
        "{0}",
        "append([]int{{}}, {0}...)",
    )
    | {"python": ("list({0})", 12, (0,)), "java": ("new ArrayList<>({0})", 12, (0,))},
    "str_empty": {
        "python": ("not {0}", 4, (5,)),
        "java": ("{0}.isEmpty()", 12, (12,)),
        "javascript": ("{0}.length === 0", 5, (12,)),
        "cpp": ("{0}.empty()", 12, (12,)),
        "go": ("len({0}) == 0", 5, (0,)),
    },
    "entry_key": _each(12, (), "key", "entry.getKey()", "key", "key", "key"),
    "entry_value": _each(12, (), "value", "entry.getValue()", "value", "value", "value"),
    # maps and sets
    "map_len": _each(
        12, (12,), "len({0})", "{0}.size()", "{0}.size", "(int){0}.size()", "len({0})"
    ),
    "map_has": _each(
        12,
        (12, 0),
        "{1} in {0}",
        "{0}.containsKey({1})",
        "{0}.has({1})",
        "{0}.contains({1})",
        "{0}[{1}]",
    )
    | {"python": ("{1} in {0}", 6, (8, 8))},
    "map_get": _same("{0}[{1}]", 12, 12, 0)
    | {"java": ("{0}.get({1})", 12, (12, 0)), "javascript": ("{0}.get({1})", 12, (12, 0))},
    "map_or": _each(
        12,
        (12, 0),
        "{0}.get({1}, 0)",
        "{0}.getOrDefault({1}, 0)",
        "({0}.get({1}) || 0)",
        "{0}[{1}]",
        "{0}[{1}]",
    ),
    "set_has": _each(
        12,
        (12, 0),
        "{1} in {0}",
        "{0}.contains({1})",
        "{0}.has({1})",
        "{0}.contains({1})",
        "{0}[{1}]",
    )
    | {"python": ("{1} in {0}", 6, (8, 8))},
    "set_len": _each(
        12, (12,), "len({0})", "{0}.size()", "{0}.size", "(int){0}.size()", "len({0})"
    ),
}
SCALARS = {
    "python": {"int": "int", "float": "float", "bool": "bool", "str": "str", "char": "str", "void": "None"},
    "java": {"int": "int", "float": "double", "bool": "boolean", "str": "String", "char": "char",
             "void": "void"},
    "javascript": {"int": "number", "float": "number", "bool": "boolean", "str": "string",
                   "char": "string", "void": "void"},
    "cpp": {"int": "int", "float": "double", "bool": "bool", "str": "std::string", "char": "char",
            "void": "void"},
    "go": {"int": "int", "float": "float64", "bool": "bool", "str": "string", "char": "rune",
           "void": ""},
}  # fmt: skip
_BOXED = {"int": "Integer", "float": "Double", "bool": "Boolean", "char": "Character"}
_HOLDERS = {
    "python": {"list": "list[{0}]", "set": "set[{0}]", "map": "dict[{0}, {1}]"},
    "java": {"list": "List<{0}>", "set": "Set<{0}>", "map": "Map<{0}, {1}>"},
    "javascript": {"list": "{0}[]", "set": "Set<{0}>", "map": "Map<{0}, {1}>"},
    "cpp": {"list": "std::vector<{0}>", "set": "std::unordered_set<{0}>",
            "map": "std::unordered_map<{0}, {1}>"},
    "go": {"list": "[]{0}", "set": "map[{0}]bool", "map": "map[{0}]{1}"},
}  # fmt: skip


def type_name(kind: Type, language: str, *, boxed: bool = False) -> str:
    """A type as a language writes it; `boxed` for Java's type arguments."""
    if kind.inner:
        inner = [type_name(part, language, boxed=True) for part in kind.inner]
        return _HOLDERS[language][kind.name].format(*inner)
    if boxed and language == "java" and kind.name in _BOXED:
        return _BOXED[kind.name]
    return SCALARS[language].get(kind.name, kind.name)


def literal_kind(expr: Expr) -> bool:
    """Whether an expression is a plain literal."""
    return expr.kind in ("int", "float", "str", "char", "bool")
