"""Infilling formats, one row a family: how its prompt is written, and what ends its answer.

To add a family, add a row; `choose.py`, the transcoder and the tests read the table. A row is
chosen by what the tokenizer and the config say, never by a model's name, so rows that share
control tokens stand with the more specific first. Where each form comes from is said in
docs/models/prompt-formats.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from glm_codegen.prompt_formats.markup import PartKind, controls_of, parts_of

# Related code in front of the prefix, for families that were trained on plain text alone.
COMMENTED = "{comment}\n{code}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FimFamily:
    """One family.

    prompt: the template without related code (`markup.py`).
    with_references: the template where there is some; `{references}` repeats `reference`.
    reference: the template of one piece of related code. `{code}` ends with a newline.
    stops: control tokens that end an answer; those of the prompt do so as well.
    stop_texts: texts that end one.
    needs, lacks: control tokens that a tokenizer must or must not have beside the prompt's.
    model_types: `model_type` of config.json must be one of these; empty: any.
    prefix_lead: text in front of a prefix that directly follows its marker, encoded with it.
    """

    name: str
    prompt: str
    with_references: str
    reference: str = COMMENTED
    stops: tuple[str, ...] = ()
    stop_texts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    model_types: tuple[str, ...] = ()
    prefix_lead: str = ""

    def marker(self, field: str) -> str:
        """The control token that stands before a field, such as `prefix`."""
        parts = parts_of(self.prompt)
        place = next(i for i, part in enumerate(parts) if part.text == field)
        before = [part for part in parts[:place] if part.kind is PartKind.CONTROL]
        return before[-1].text

    @property
    def middle(self) -> str | None:
        """The control token after which the answer begins; None where the prefix stands last."""
        parts = parts_of(self.prompt)
        fields = [i for i, part in enumerate(parts) if part.text in ("prefix", "suffix")]
        after = [part for part in parts[fields[-1] + 1 :] if part.kind is PartKind.CONTROL]
        return after[0].text if after else None

    @property
    def controls(self) -> tuple[str, ...]:
        """Control tokens without which the family's prompt cannot be written."""
        return (*controls_of(self.prompt), *self.needs)

    @property
    def reference_controls(self) -> tuple[str, ...]:
        """Control tokens of the form with related code."""
        return (*controls_of(self.with_references), *controls_of(self.reference))


_PSM = "«<fim_prefix>»{prefix}«<fim_suffix>»{suffix}«<fim_middle>»"
_PSM_BARS = "«<|fim_prefix|>»{prefix}«<|fim_suffix|>»{suffix}«<|fim_middle|>»"
_PSM_BARS_COMMENTED = "«<|fim_prefix|>»{references}{prefix}«<|fim_suffix|>»{suffix}«<|fim_middle|>»"
_CODEGEEX4_FILE = (
    "###PATH:{path}\n###LANGUAGE:{language}\n###MODE:{mode}\n"
    "«<|code_suffix|>»{suffix}«<|code_prefix|>»{prefix}«<|code_middle|>»«<|assistant|>»\n"
)

FAMILIES = (
    FimFamily(
        name="codegeex4",
        prompt="«[gMASK]»«<sop>»«<|user|>»\n{references}" + _CODEGEEX4_FILE,
        with_references="«[gMASK]»«<sop>»«<|user|>»\n{references}" + _CODEGEEX4_FILE,
        reference="###REFERENCE:\n###PATH:{path}\n{code}",
        stops=("<|endoftext|>", "<|observation|>"),
        needs=("<|endoftext|>",),
        lacks=("<think>",),
        model_types=("", "glm", "chatglm"),
    ),
    FimFamily(
        name="glm",
        prompt="«[gMASK]»«<sop>»«<|code_prefix|>»{prefix}«<|code_suffix|>»{suffix}«<|code_middle|>»",
        with_references="«[gMASK]»«<sop>»«<|code_prefix|>»{references}{prefix}"
        "«<|code_suffix|>»{suffix}«<|code_middle|>»",
        stops=("<|endoftext|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    ),
    FimFamily(
        name="mellum",
        prompt="{begin}«<filename>»{path}\n«<fim_suffix>»{suffix}«<fim_prefix>»{prefix}«<fim_middle>»",
        with_references="{begin}{references}«<filename>»{path}\n"
        "«<fim_suffix>»{suffix}«<fim_prefix>»{prefix}«<fim_middle>»",
        reference="«<filename>»{path}\n{code}",
        stops=("<|endoftext|>", "<|end_of_text|>", "<reponame>"),
        model_types=("llama",),
    ),
    FimFamily(
        name="starcoder2",
        prompt=_PSM,
        with_references="«<repo_name>»workspace{references}"
        "«<file_sep>»«<fim_prefix>»{path}\n{prefix}«<fim_suffix>»{suffix}«<fim_middle>»",
        reference="«<file_sep>»{path}\n{code}",
        stops=("<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_pad>"),
        needs=("<file_sep>", "<repo_name>"),
    ),
    FimFamily(
        name="starcoder",
        prompt=_PSM,
        with_references="«<fim_prefix>»{references}{prefix}«<fim_suffix>»{suffix}«<fim_middle>»",
        stops=("<|endoftext|>", "<fim_pad>", "<filename>", "<reponame>"),
    ),
    FimFamily(
        name="santacoder",
        prompt="«<fim-prefix>»{prefix}«<fim-suffix>»{suffix}«<fim-middle>»",
        with_references="«<fim-prefix>»{references}{prefix}«<fim-suffix>»{suffix}«<fim-middle>»",
        stops=("<|endoftext|>", "<fim-pad>"),
    ),
    FimFamily(
        name="codellama",
        prompt="{begin}«▁<PRE>»{prefix}«▁<SUF>»{suffix}«▁<MID>»",
        with_references="{begin}«▁<PRE>»{references}{prefix}«▁<SUF>»{suffix}«▁<MID>»",
        stops=("▁<EOT>", "</s>"),
        prefix_lead=" ",
    ),
    FimFamily(
        name="deepseek-coder",
        prompt="{begin}«<｜fim▁begin｜>»{prefix}«<｜fim▁hole｜>»{suffix}«<｜fim▁end｜>»",
        with_references="{begin}«<｜fim▁begin｜>»{references}{prefix}"
        "«<｜fim▁hole｜>»{suffix}«<｜fim▁end｜>»",
        reference="#{path}\n{code}",
        stops=("<｜end▁of▁sentence｜>", "<|EOT|>"),
    ),
    FimFamily(
        name="seed-coder",
        prompt="{begin}«<[fim-suffix]>»{suffix}«<[fim-prefix]>»{prefix}«<[fim-middle]>»",
        with_references="{begin}«<[fim-suffix]>»{suffix}«<[fim-prefix]>»{references}{prefix}"
        "«<[fim-middle]>»",
        stops=("<[end▁of▁sentence]>",),
    ),
    FimFamily(
        name="codegemma",
        prompt="{begin}" + _PSM_BARS,
        with_references="{begin}{references}{path}\n" + _PSM_BARS,
        reference="{path}\n{code}«<|file_separator|>»",
        stops=("<|file_separator|>", "<eos>", "<end_of_turn>"),
        needs=("<|file_separator|>",),
    ),
    FimFamily(
        name="granite",
        prompt=_PSM_BARS,
        with_references=_PSM_BARS_COMMENTED,
        stops=("<|end_of_text|>", "<|fim_pad|>", "<|filename|>", "<|reponame|>"),
        needs=("<|end_of_text|>",),
    ),
    FimFamily(
        name="qwen-coder",
        prompt="{begin}" + _PSM_BARS,
        with_references="{begin}«<|repo_name|>»workspace\n{references}«<|file_sep|>»{path}\n"
        + _PSM_BARS,
        reference="«<|file_sep|>»{path}\n{code}",
        stops=(
            *("<|endoftext|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
            *("<|im_start|>", "<|im_end|>"),
        ),
    ),
    FimFamily(
        name="codestral",
        prompt="{begin}«[SUFFIX]»{suffix}«[PREFIX]»{prefix}",
        with_references="{begin}«[SUFFIX]»{suffix}«[PREFIX]»{references}+++++ {path}\n{prefix}",
        reference="+++++ {path}\n{code}",
        stops=("</s>", "[MIDDLE]"),
        stop_texts=("\n+++++ ",),
    ),
)
