"""Numbers of one CodeGeeX-13B model, as `config.json` holds them. No weights, no tokens.

Source: the CodeGeeX paper (arXiv:2303.17568, section 2.2) and the released configuration.
"""

# transformers leaves these bases and decorators untyped.
# mypy: disable-error-code="no-untyped-call,untyped-decorator"

from __future__ import annotations

from typing import ClassVar

from transformers import PreTrainedConfig

OFFICIAL_TRAINED_VOCABULARY = 50400  # ids that the tokenizer defines; 52224 rows are stored


class CodeGeeXConfig(PreTrainedConfig):
    """Defaults are the released 13B's.

    `num_hidden_layers` counts the top query layer, because it owns the last entry of the KV
    cache; `trained_vocab_size` is the first id whose logits are masked.
    """

    model_type = "codegeex"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]

    vocab_size: int = 52224
    trained_vocab_size: int = OFFICIAL_TRAINED_VOCABULARY
    hidden_size: int = 5120
    intermediate_size: int = 20480
    num_hidden_layers: int = 40
    num_attention_heads: int = 40
    max_position_embeddings: int = 2048
    layer_norm_eps: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    bos_token_id: int | None = 50256
    eos_token_id: int | list[int] | None = 50256
    pad_token_id: int | None = None
    tie_word_embeddings: bool = True

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    def __post_init__(self, **kwargs: object) -> None:
        """Raises ValueError where the numbers cannot make a model."""
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} does not split into"
                f" {self.num_attention_heads} heads"
            )
        if self.num_hidden_layers < 2:
            raise ValueError("num_hidden_layers counts the top query layer: at least 2")
        if not 0 < self.trained_vocab_size <= self.vocab_size:
            raise ValueError("trained_vocab_size must lie in 1..vocab_size")
        super().__post_init__(**kwargs)
