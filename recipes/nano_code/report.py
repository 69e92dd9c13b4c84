"""Renews the model card, its tables and receipts from what was measured.

`python -m recipes.nano_code.report` reads corpus.tsv, the results, the loss curve and the
rounding check, and writes models/nano-code/README.md and models/nano-code/loss.png. Every number
in the card comes from one of those files; the words about limits are written here.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from recipes.nano_code.curve import Point, draw_curve, read_curve
from recipes.nano_code.evaluate import RESULTS
from recipes.nano_code.package_table import GotPackage, read_got
from recipes.nano_code.samples import KIND_SHARE, LANGUAGE_SHARE
from recipes.nano_code.tokenizer import MODEL
from recipes.nano_code.train import RUN

MODELS = ("nano-code", "n-gram with cache", "words of the open file")
RUN_NOTES = RESULTS / "run.txt"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where the file is missing."""
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def shown(mean: dict[str, float], *, percent: bool = True) -> str:
    """`12.3 [10.1, 14.5]`, in percent or with three decimals."""
    values = (mean["value"], mean["low"], mean["high"])
    one, low, high = (f"{100 * v:.1f}" if percent else f"{v:.3f}" for v in values)
    return f"{one} [{low}, {high}]"


def infill_table(scores: list[dict[str, Any]], mode: str) -> list[str]:
    """All models over all languages for one mode."""
    lines = ["| model | exact match, % | edit similarity, % | first word right, % | spots |",
             "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for model in MODELS:
        for score in scores:
            if (score["model"], score["mode"], score["language"]) == (model, mode, "all"):
                lines.append(
                    f"| {model} | {shown(score['exact'])} | {shown(score['similarity'])} "
                    f"| {shown(score['first'])} | {score['exact']['count']} |"
                )
    return lines


def language_table(scores: list[dict[str, Any]], bits: dict[str, Any]) -> list[str]:
    """Edit similarity and bits per byte by language, nano-code beside the n-gram model."""
    lines = [
        "| language | line, nano-code | line, n-gram | block, nano-code | block, n-gram "
        "| bits per byte, nano-code | bits per byte, n-gram |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    value = {(s["model"], s["mode"], s["language"]): s["similarity"]["value"] for s in scores}
    for language in LANGUAGE_SHARE:
        cells = [
            f"{100 * value.get((model, mode, language), float('nan')):.1f}"
            for mode in ("line", "block")
            for model in MODELS[:2]
        ]
        rows = [bits.get(model, {}).get(language) for model in MODELS[:2]]
        cells += [shown(row, percent=False) if row else "-" for row in rows]
        lines.append(f"| {language} | " + " | ".join(cells) + " |")
    return lines


def overall_bits(bits: dict[str, Any]) -> str:
    """Bits per byte over all languages in a sentence, and how far the tables can be trusted."""
    parts = [
        f"{model} {shown(bits[model]['all'], percent=False)}"
        for model in MODELS[:2]
        if model in bits
    ]
    return (
        f"Bits per byte over all languages: {', '.join(parts)}. Where intervals overlap, as they "
        "do for exact match on lines, the table does not show that one model is better; single "
        "languages have about 26 spots a kind, too few for a verdict."
    )


def data_table(packages: tuple[GotPackage, ...]) -> list[str]:
    """Packages and megabytes by language and split."""
    lines = [
        "| language | packages | MB | share of rows | held out |",
        "| --- | --- | --- | --- | --- |",
    ]
    for language, share in LANGUAGE_SHARE.items():
        kept = [p for p in packages if p.language == language and not p.note]
        train = [p for p in kept if p.split == "train"]
        held = ", ".join(p.name for p in kept if p.split == "held-out")
        size = sum(p.bytes for p in train) / 1e6
        lines.append(f"| {language} | {len(train)} | {size:.1f} | {share:.0%} | {held} |")
    return lines


def licences(packages: tuple[GotPackage, ...]) -> str:
    """Licences of the training packages as their own metadata words them, most frequent first."""
    counts = Counter(p.licence for p in packages if p.split == "train" and not p.note)
    return ", ".join(f"{name} ({count})" for name, count in counts.most_common())


def training_lines(points: tuple[Point, ...], rounding: dict[str, Any]) -> list[str]:
    """What the run was."""
    last, held = points[-1], [p.held_out for p in points if p.held_out is not None]
    notes = RUN_NOTES.read_text(encoding="utf-8") if RUN_NOTES.exists() else ""
    lines = [
        f"- {last.tokens / 1e6:.1f} million tokens in {last.step} steps of 4,096, "
        f"{last.seconds / 60:.0f} minutes.",
        *(f"- {note}" for note in notes.splitlines()),
        f"- Rows: {', '.join(f'{share:.0%} {kind}' for kind, share in KIND_SHARE.items())}; half of"
        " the infilling rows carry related code of the same package.",
        f"- Weighted training loss at the end {last.loss:.3f} nats; held-out loss while training: "
        + ", ".join(f"{value:.3f}" for value in held) + ".",
    ]  # fmt: skip
    if rounding:
        lines.append(
            f"- Rounding to 8 bits: held-out loss {rounding['before']:.4f} before, "
            f"{rounding['after']:.4f} after ({rounding['after'] / rounding['before'] - 1:+.2%})."
        )
    return lines


LIMITS = """\
It is a very small model, trained for an hour and a half on two shared cores, so that a fresh
machine has something real to run without any download. It has seen fewer than 14 million
tokens, where useful code models see hundreds of billions.

- It often writes code that is well formed and wrong: names that do not exist, loops of one phrase.
- It knows no library by heart. What it gets right it mostly copies from the open file.
- It reads at most 512 tokens (about 1,700 characters); serving keeps prompts within that.
- Blocks are much weaker than lines. It does not chat, explain, translate or follow instructions.
- Languages other than the eight above are unknown to it, and so is text in natural language.
- Its tokenizer's ids are frozen; later weights of nano-code keep them.
"""


def card() -> str:
    """The model card."""
    packages = read_got()
    network, base = read_json(RESULTS / "network.json"), read_json(RESULTS / "baselines.json")
    scores = network.get("scores", []) + base.get("scores", [])
    bits = network.get("bits_per_byte", {}) | base.get("bits_per_byte", {})
    lines = [
        "# nano-code",
        "",
        "The code model that ships with glm-lsp: a GLM network of 7.6 million parameters (hidden "
        "256, 8 layers, 4 heads with 2 key-value heads, 8,192 tokens), 8-bit weights in groups of "
        "64. It speaks CodeGeeX4's infilling format and loads as `GlmForCausalLM` once the groups "
        "are multiplied out. Made by the recipe in `recipes/nano_code`; Apache-2.0.",
        "",
        "## What it cannot do",
        "",
        LIMITS,
        "## Results on held-out packages",
        "",
        "Spots drawn by `recipes/nano_code/spots.py` from packages that were kept out of the "
        "corpus; greedy decoding in bf16; 95 % bootstrap intervals in brackets. Renew with "
        "`python -m recipes.nano_code.make --renew`.",
        "",
        "Rest of the line:",
        "",
        *infill_table(scores, "line"),
        "",
        "Block (a body, or two to five lines):",
        "",
        *infill_table(scores, "block"),
        "",
        "By language: edit similarity in %, and bits per byte on the first 512 tokens of files:",
        "",
        *language_table(scores, bits),
        "",
        overall_bits(bits),
        "",
        f"The n-gram model (orders 1 to 5, Witten-Bell) was counted on "
        f"{base.get('ngram_tokens', 0) / 1e6:.0f} million tokens of the same corpus and keeps a "
        "cache of the open file. The word list offers the most frequent word of the open file, "
        "as an editor without a model does; it never offers more than one word.",
        "",
        "## Training",
        "",
        *training_lines(read_curve(RESULTS / "curve.csv"), read_json(RESULTS / "rounding.json")),
        "",
        "![loss](loss.png)",
        "",
        "## Data",
        "",
        "Public packages under permissive licences, fetched by name; "
        "`recipes/nano_code/corpus.tsv` lists each with version, licence and bytes. Vendored, "
        "generated, minified and test files, "
        "near-duplicates, licence headers, key-like strings and e-mail addresses were removed.",
        "",
        *data_table(packages),
        "",
        f"Licences as the packages state them: {licences(packages)}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Take the run's receipts over and write the card."""
    RESULTS.mkdir(exist_ok=True)
    for name in ("curve.csv", "rounding.json"):
        if (RUN / name).exists():
            shutil.copy(RUN / name, RESULTS / name)
    draw_curve(read_curve(RESULTS / "curve.csv"), MODEL / "loss.png")
    (MODEL / "README.md").write_text(card(), encoding="utf-8")
    with (RESULTS / "curve.csv").open(encoding="utf-8") as stream:
        print(f"card written; {sum(1 for _ in csv.reader(stream)) - 1} points on the curve")


if __name__ == "__main__":
    main()
