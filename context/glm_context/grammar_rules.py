"""What the node types of each grammar mean: the one place that spells them.

A definition has a name; a wrapper (decorator, `export`, `template<…>`) stands around one; a
transparent node (`#ifdef`, `extern "C"`) is looked through as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class GrammarRules:
    """Node types of one grammar. `definitions` and `members` give the kind of a unit."""

    definitions: Mapping[str, str]
    members: Mapping[str, str] = field(default_factory=dict)  # only inside a definition
    wrappers: frozenset[str] = frozenset()
    transparent: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    bodies: frozenset[str] = frozenset()  # nodes that hold statements or members
    arguments: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset({"comment"})
    strings: frozenset[str] = frozenset({"string", "string_literal"})
    attached: frozenset[str] = frozenset()  # beside comments: belongs to what follows
    indented: bool = False  # blocks end by indentation alone


def kinds(**names: str) -> dict[str, str]:
    """kind="type type …" turned round."""
    return {node: kind for kind, nodes in names.items() for node in nodes.split()}


def nodes(names: str) -> frozenset[str]:
    return frozenset(names.split())


_JS = GrammarRules(
    definitions={
        **kinds(
            function="function_declaration generator_function_declaration function_signature",
            interface="interface_declaration",
            type="type_alias_declaration",
            enum="enum_declaration",
            namespace="internal_module module",
            constant="lexical_declaration variable_declaration",
        ),
        "class_declaration": "class",
        "abstract_class_declaration": "class",
    },
    members=kinds(
        method="method_definition method_signature abstract_method_signature",
        field="public_field_definition field_definition property_signature",
    ),
    wrappers=nodes("export_statement ambient_declaration"),
    imports=nodes("import_statement"),
    bodies=nodes(
        "statement_block class_body program interface_body object_type enum_body switch_body"
    ),
    arguments=nodes("arguments"),
    strings=nodes("string template_string"),
)
_C_DEFINITIONS = kinds(
    function="function_definition",
    struct="struct_specifier union_specifier",
    enum="enum_specifier",
    type="type_definition",
    macro="preproc_def preproc_function_def",
    declaration="declaration",
)
_C_TRANSPARENT = nodes("preproc_ifdef preproc_if preproc_else preproc_elif linkage_specification")

RULES: dict[str, GrammarRules] = {
    "python": GrammarRules(
        definitions={"function_definition": "function", "class_definition": "class"},
        wrappers=nodes("decorated_definition"),
        imports=nodes("import_statement import_from_statement future_import_statement"),
        bodies=nodes("block module"),
        arguments=nodes("argument_list"),
        strings=nodes("string"),
        indented=True,
    ),
    "javascript": _JS,
    "typescript": _JS,
    "tsx": _JS,
    "java": GrammarRules(
        definitions={
            "class_declaration": "class",
            **kinds(
                interface="interface_declaration annotation_type_declaration",
                enum="enum_declaration",
                record="record_declaration",
            ),
        },
        members=kinds(
            method="method_declaration constructor_declaration compact_constructor_declaration",
            field="field_declaration constant_declaration",
        ),
        imports=nodes("import_declaration package_declaration"),
        bodies=nodes(
            "program class_body interface_body enum_body enum_body_declarations block "
            "constructor_body switch_block"
        ),
        arguments=nodes("argument_list"),
        comments=nodes("line_comment block_comment"),
    ),
    "c": GrammarRules(
        definitions=_C_DEFINITIONS,
        transparent=_C_TRANSPARENT,
        imports=nodes("preproc_include"),
        bodies=nodes("translation_unit compound_statement field_declaration_list declaration_list"),
        arguments=nodes("argument_list"),
        strings=nodes("string_literal char_literal"),
    ),
    "cpp": GrammarRules(
        definitions={
            **_C_DEFINITIONS,
            "class_specifier": "class",
            "namespace_definition": "namespace",
            "concept_definition": "type",
            "alias_declaration": "type",
        },
        members=kinds(field="field_declaration"),
        wrappers=nodes("template_declaration"),
        transparent=_C_TRANSPARENT,
        imports=nodes("preproc_include using_declaration"),
        bodies=nodes("translation_unit compound_statement field_declaration_list declaration_list"),
        arguments=nodes("argument_list"),
        strings=nodes("string_literal char_literal raw_string_literal"),
    ),
    "c_sharp": GrammarRules(
        definitions={
            "class_declaration": "class",
            **kinds(
                struct="struct_declaration",
                interface="interface_declaration",
                enum="enum_declaration",
                record="record_declaration",
                namespace="namespace_declaration",
                type="delegate_declaration",
            ),
        },
        members=kinds(
            method="method_declaration constructor_declaration operator_declaration "
            "destructor_declaration local_function_statement",
            field="field_declaration property_declaration event_field_declaration "
            "indexer_declaration",
        ),
        imports=nodes("using_directive"),
        bodies=nodes("compilation_unit declaration_list block switch_body accessor_list"),
        arguments=nodes("argument_list"),
        strings=nodes("string_literal verbatim_string_literal raw_string_literal"),
    ),
    "go": GrammarRules(
        definitions=kinds(
            function="function_declaration",
            method="method_declaration",
            type="type_declaration",
            constant="const_declaration",
            variable="var_declaration",
        ),
        imports=nodes("import_declaration package_clause"),
        bodies=nodes("source_file block statement_list field_declaration_list"),
        arguments=nodes("argument_list"),
        strings=nodes("interpreted_string_literal raw_string_literal"),
    ),
    "rust": GrammarRules(
        definitions=kinds(
            function="function_item function_signature_item",
            struct="struct_item union_item",
            enum="enum_item",
            trait="trait_item",
            impl="impl_item",
            namespace="mod_item",
            constant="const_item static_item",
            type="type_item",
            macro="macro_definition",
        ),
        imports=nodes("use_declaration extern_crate_declaration"),
        bodies=nodes("source_file block declaration_list field_declaration_list match_block"),
        arguments=nodes("arguments"),
        comments=nodes("line_comment block_comment"),
        strings=nodes("string_literal raw_string_literal char_literal"),
        attached=nodes("attribute_item"),
    ),
    "ruby": GrammarRules(
        definitions={
            "class": "class",
            "method": "method",
            "singleton_method": "method",
            "module": "namespace",
        },
        bodies=nodes("program body_statement do_block block begin then else"),
        arguments=nodes("argument_list"),
    ),
    "kotlin": GrammarRules(
        definitions={
            "class_declaration": "class",
            **kinds(
                function="function_declaration",
                object="object_declaration",
                type="type_alias",
            ),
        },
        members=kinds(method="function_declaration"),
        imports=nodes("import package_header"),
        bodies=nodes("source_file class_body enum_class_body block function_body"),
        arguments=nodes("value_arguments"),
        comments=nodes("line_comment block_comment"),
        strings=nodes("string_literal multiline_string_literal"),
    ),
    "php": GrammarRules(
        definitions={
            "class_declaration": "class",
            **kinds(
                function="function_definition",
                interface="interface_declaration",
                trait="trait_declaration",
                enum="enum_declaration",
                namespace="namespace_definition",
            ),
        },
        members=kinds(method="method_declaration", field="property_declaration const_declaration"),
        imports=nodes("namespace_use_declaration"),
        bodies=nodes("program declaration_list compound_statement enum_declaration_list"),
        arguments=nodes("arguments"),
        strings=nodes("string encapsed_string heredoc"),
    ),
    "bash": GrammarRules(
        definitions={"function_definition": "function"},
        bodies=nodes("program compound_statement do_group"),
        strings=nodes("string raw_string heredoc_body"),
    ),
    "html": GrammarRules(
        definitions=kinds(element="element", script="script_element", style="style_element"),
        bodies=nodes("document element"),
        strings=nodes("quoted_attribute_value"),
    ),
    "css": GrammarRules(
        definitions=kinds(
            rule="rule_set",
            media="media_statement supports_statement",
            keyframes="keyframes_statement",
        ),
        imports=nodes("import_statement charset_statement"),
        bodies=nodes("stylesheet block keyframe_block_list"),
        arguments=nodes("arguments"),
        strings=nodes("string_value"),
    ),
    "json": GrammarRules(
        definitions={"pair": "pair"},
        transparent=nodes("object"),
        bodies=nodes("document object array"),
        strings=nodes("string"),
    ),
}
# Kinds that have members.
CONTAINERS = frozenset(
    {
        *("class", "interface", "enum", "record", "struct", "trait", "impl", "namespace"),
        *("media",),
    }
)
