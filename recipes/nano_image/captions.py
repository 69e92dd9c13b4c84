"""nano-image's text pieces: byte-level BPE over captions, lower case, 1,024 pieces.

`python -m recipes.nano_image.captions` writes `models/nano-image/tokenizer.json`; it refuses when
one is there, because the weights depend on its ids.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from glm_t2i.evaluate.drawn_prompts import sampled_prompts
from recipes.nano_image.captioned import CaptionedPictures
from recipes.nano_image.icons import read_icons

MODEL = Path(__file__).parents[2] / "models" / "nano-image"
PIECES = 1024


def main() -> None:
    """Train on 6,000 captions and every icon's name."""
    file = MODEL / "tokenizer.json"
    if file.exists():
        raise SystemExit(f"{file} is there; other pieces would be another model")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    pictures = CaptionedPictures(seed=1)
    captions = [pictures.next()[0] for _ in range(6000)]
    captions += [wanted.sentence() for wanted in sampled_prompts(500, seed=1)]
    captions += [icon.words for icon in read_icons()[1]]
    tokenizer.train_from_iterator(captions, trainer)
    MODEL.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(file))
    print(tokenizer.get_vocab_size(), tokenizer.encode("three red hearts at the top left").tokens)


if __name__ == "__main__":
    main()
