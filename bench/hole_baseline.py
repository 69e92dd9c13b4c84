"""The recipe's n-gram model with a cache of the open file, at the holes of `glm-lsp eval repo`.

`python -m bench.hole_baseline PATH --holes N --seed S > NGRAM.json`: the same places, the same
measures and the same JSON, for `glm-lsp eval compare`. Needs the recipe's corpus on this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from glm_codegen.evaluate.evaluation import evaluation
from glm_codegen.evaluate.repo_command import places_of
from glm_codegen.evaluate.repository_run import AFTER, BEFORE, Judged, judge
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_context.syntax import Syntax
from glm_protocol.completion import CodeContext
from glm_runtime.model_registry import bundled_models_folder
from recipes.nano_code.evaluate import NGRAM_TOKENS, corpus_tokens, ngram_complete
from recipes.nano_code.ngram import NgramModel


def main() -> int:
    """Prints the evaluation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--holes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tokenizer = TextTokenizer.from_folder(bundled_models_folder() / "nano-code")
    model = NgramModel(corpus_tokens(tokenizer, NGRAM_TOKENS), tokenizer.vocabulary_size)
    root = options.path.resolve()
    judged = []
    with Syntax() as syntax:
        for place in places_of(root, holes=options.holes, quiet=0, seed=options.seed):
            source = place.source
            context = CodeContext(
                path=source.path,
                language=source.language,
                prefix=source.text[: place.start][-BEFORE:],
                suffix=source.text[place.end :][:AFTER],
            )
            said = ngram_complete(model, tokenizer, context, place.mode)
            figures = judge(place, said, syntax)
            found = Judged(
                id=place.id,
                kind=place.kind,
                language=source.language,
                path=source.path,
                line=place.line,
                **figures,
            )
            judged.append(found.to_wire())
    settings = {"holes": options.holes, "seed": options.seed}
    name = "n-gram with cache"
    print(json.dumps(evaluation(judged, repository=root.name, model=name, settings=settings)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
