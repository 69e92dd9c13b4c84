"""Names and numbers of published checkpoints, where no file is needed to tell them."""

from __future__ import annotations

from typing import Any

import pytest

from glm_codegen.models import chatglm_weights, codegeex_weights
from glm_codegen.models.codegeex_config import CodeGeeXConfig
from glm_codegen.models.published_config import PublishedConfig
from glm_protocol.errors import ModelUnusable
from tests.codegen.models.reference_cases import published_config

NOTHING = PublishedConfig(file="config.json", values={})


def _official(rows: int = 52224) -> dict[str, tuple[int, ...]]:
    return {
        "model.norm.weight": (5120,),
        "model.embed_tokens.weight": (rows, 5120),
        "model.embed_positions.weight": (2048, 5120),
        "model.layers.0.mlp.up_proj.bias": (20480,),
    }


@pytest.mark.parametrize("rows", [52224, 53248])
def test_the_official_13b_needs_no_config(rows: int) -> None:
    fields = codegeex_weights.config_fields(_official(rows), 39, NOTHING)
    assert CodeGeeXConfig(**fields).to_dict() == CodeGeeXConfig().to_dict()


def test_any_other_size_does() -> None:
    with pytest.raises(ModelUnusable, match="num_attention_heads, layernorm_epsilon, eos_token_id"):
        codegeex_weights.config_fields(_official(), 38, NOTHING)


def test_a_config_beside_the_official_13b_is_heard() -> None:
    given = PublishedConfig(file="config.json", values={"layernorm_epsilon": 1e-6, "eos": [7, 8]})
    fields = codegeex_weights.config_fields(_official(), 39, given)
    assert fields["layer_norm_eps"] == 1e-6
    assert fields["eos_token_id"] == [7, 8]
    assert fields["num_attention_heads"] == 40


def test_every_official_name_has_its_own_place() -> None:
    for names, place_of in (
        (list(codegeex_weights.official_names(39)), codegeex_weights.places),
        (list(chatglm_weights.official_names(28, bias=True)), _chatglm_places),
    ):
        natives = [place.native for name in names for place in place_of(name) or ()]
        assert len(natives) == len(set(natives)) >= len(names)
    assert len(list(codegeex_weights.official_names(39))) == 645


def _chatglm_places(name: str) -> Any:
    return chatglm_weights.places(name, {"num_attention_heads": 32, "num_key_value_heads": 2})


def test_fused_rows_of_codegeex2() -> None:
    name = "transformer.encoder.layers.3.self_attention.query_key_value.weight"
    rows = [tuple(int(4608 * end) for end in place.rows) for place in _chatglm_places(name)]
    assert rows == [(0, 4096), (4096, 4352), (4352, 4608)]


def test_one_head_group_for_each_head_without_multi_query() -> None:
    values = {**published_config("v2"), "multi_query_attention": False}
    fields = chatglm_weights.config_fields(PublishedConfig(file="config.json", values=values))
    assert fields["num_key_value_heads"] == fields["num_attention_heads"] == 4
