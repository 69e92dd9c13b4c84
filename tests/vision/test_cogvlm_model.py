"""What a serving engine relies on: caches, untouched vision weights, refusals, Auto classes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, DynamicCache

from glm_vision import load_model
from glm_vision.models.auto_classes import register_auto_classes
from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.cogvlm_config import CogVLMConfig
from glm_vision.models.expert_route import ExpertRoute
from glm_vision.models.vision_offload import VisionOffload

from .conftest import Reference, read_model

CLOSE: dict[str, Any] = {"atol": 2e-5, "rtol": 1e-4}


def count_vision_calls(model: nn.Module, pieces: list[nn.Module]) -> Counter[int]:
    calls: Counter[int] = Counter()
    for number, piece in enumerate(pieces):
        piece.register_forward_hook(lambda *_, number=number: calls.update([number]))
    return calls


def test_text_alone_never_calls_a_vision_weight(reference: Reference) -> None:
    model = load_model(reference.folder)
    pieces = list(model.vision_pieces())
    calls = count_vision_calls(model, pieces)
    model.generate(**reference.inputs("text_only"), do_sample=False, max_new_tokens=4)
    assert calls.total() == 0
    model.generate(
        **reference.inputs("image_text"), do_sample=False, max_new_tokens=8, eos_token_id=None
    )
    assert [calls[number] for number in range(len(pieces))] == [1] * len(pieces)  # the prompt only


def test_decoding_survives_the_loss_of_every_vision_weight(reference: Reference) -> None:
    """Poison them after the prompt: eight steps give the same tokens and finite logits."""
    model = load_model(reference.folder)
    expected = reference.tensors["greedy_image.tokens"][:, :8]
    inputs = reference.inputs("image_text")
    with torch.no_grad():
        out = model(**inputs, use_cache=True)
        for piece in [*model.vision_pieces()]:
            for weight in piece.parameters():
                weight.fill_(torch.nan)
        position = reference.tensors["image_text.position_ids"][:, -1:]
        tokens = [out.logits[:, -1].argmax(-1)]
        for step in range(1, 8):
            out = model(
                input_ids=tokens[-1][:, None],
                position_ids=position + step,
                past_key_values=out.past_key_values,
            )
            assert torch.isfinite(out.logits).all()
            tokens.append(out.logits[:, -1].argmax(-1))
    assert torch.equal(torch.stack(tokens, dim=1), expected)


def test_offloaded_vision_is_fetched_for_images_only(reference: Reference) -> None:
    model = load_model(reference.folder)
    offload = VisionOffload(model, torch.device("cpu"))
    plain = load_model(reference.folder)
    kwargs: dict[str, Any] = {"do_sample": False, "max_new_tokens": 6, "eos_token_id": None}
    assert torch.equal(
        model.generate(**reference.inputs("image_text"), **kwargs),
        plain.generate(**reference.inputs("image_text"), **kwargs),
    )
    fetched = offload.fetches
    assert fetched == len(list(model.vision_pieces()))
    model.generate(**reference.inputs("text_only"), **kwargs)
    assert offload.fetches == fetched


def test_cached_steps_equal_one_pass(model: CogVLMForCausalLM, reference: Reference) -> None:
    """Split after the first image: the rest, with a second image, continues the cache."""
    inputs = reference.inputs("two_images")
    types, ids = inputs["token_type_ids"], inputs["input_ids"]
    first_end = int((types[0] == 1).nonzero()[model.config.image_slots - 1]) + 2
    one, two = inputs["images"][0]
    with torch.no_grad():
        whole = model(**inputs).logits
        cache = DynamicCache(config=model.config)
        head = model(
            input_ids=ids[:, :first_end],
            token_type_ids=types[:, :first_end],
            images=[[one]],
            past_key_values=cache,
        ).logits
        tail = model(
            input_ids=ids[:, first_end:],
            token_type_ids=types,
            images=[[two]],
            past_key_values=cache,
        ).logits
    torch.testing.assert_close(torch.cat((head, tail), dim=1), whole, **CLOSE)


def test_a_padded_row_equals_the_row_alone(model: CogVLMForCausalLM, reference: Reference) -> None:
    inputs = reference.inputs("batch_left_pad")
    with torch.no_grad():
        batch = model(**inputs).logits
        for row, images in enumerate(inputs["images"]):
            real = inputs["attention_mask"][row] == 1
            alone = model(
                input_ids=inputs["input_ids"][row][real][None],
                token_type_ids=inputs["token_type_ids"][row][real][None],
                images=[images],
            ).logits[0]
            torch.testing.assert_close(batch[row][real], alone, **CLOSE)
    assert torch.isfinite(batch).all()


def test_several_answers_repeat_a_rows_images(
    model: CogVLMForCausalLM, reference: Reference
) -> None:
    inputs = reference.inputs("batch_left_pad")
    shared: dict[str, Any] = {"max_new_tokens": 4, "eos_token_id": None, "num_beams": 2}
    both = model.generate(**inputs, **shared, num_return_sequences=2)
    assert both.shape[0] == 6
    assert torch.equal(both[::2], model.generate(**inputs, **shared))


def test_a_prompt_may_end_with_its_image(model: CogVLMForCausalLM, reference: Reference) -> None:
    """The next token is text, although the last type was 1."""
    inputs = reference.inputs("image_text")
    end = int((inputs["token_type_ids"][0] == 1).nonzero()[-1]) + 1
    cut = {name: inputs[name][:, :end] for name in ("input_ids", "token_type_ids")}
    kwargs: dict[str, Any] = {"do_sample": False, "max_new_tokens": 6, "eos_token_id": None}
    cached = model.generate(**cut, images=inputs["images"], **kwargs)
    assert torch.equal(
        cached, model.generate(**cut, images=inputs["images"], use_cache=False, **kwargs)
    )


def test_a_second_turn_continues_the_cache(model: CogVLMForCausalLM, reference: Reference) -> None:
    """The miniature even says its padding id (`<unk>`), which is no padding there."""
    inputs = reference.inputs("image_text")
    del inputs["attention_mask"]
    kwargs: dict[str, Any] = {"do_sample": False, "eos_token_id": None, "max_new_tokens": 24}
    first = model.generate(**inputs, **kwargs, return_dict_in_generate=True)
    assert torch.equal(first.sequences[:, -24:], reference.tensors["greedy_image.tokens"])
    ids = torch.cat((first.sequences, torch.tensor([[33, 44, 55]])), dim=1)
    types = torch.zeros_like(ids)
    types[:, : inputs["token_type_ids"].shape[1]] = inputs["token_type_ids"]
    history = {"input_ids": ids, "token_type_ids": types}
    anew = model.generate(**history, images=inputs["images"], **kwargs)
    cached = model.generate(**history, past_key_values=first.past_key_values, **kwargs)
    assert torch.equal(cached, anew)


def test_left_padding_is_seen_without_a_mask(
    model: CogVLMForCausalLM, reference: Reference
) -> None:
    inputs = reference.inputs("batch_left_pad")
    del inputs["attention_mask"]
    answer = model.generate(**inputs, do_sample=False, eos_token_id=None, max_new_tokens=8)
    assert torch.equal(answer[:, -8:], reference.tensors["greedy_batch_left.tokens"])


@pytest.mark.parametrize(
    "how", [{"cache_implementation": "static"}, {"prompt_lookup_num_tokens": 3}], ids=str
)
def test_other_ways_to_generate(
    model: CogVLMForCausalLM, reference: Reference, how: dict[str, Any]
) -> None:
    expected = reference.tensors["greedy_image.tokens"]
    answer = model.generate(
        **reference.inputs("image_text"),
        **how,
        do_sample=False,
        eos_token_id=None,
        max_new_tokens=24,
    )
    assert torch.equal(answer[:, -24:], expected)


def test_a_prompt_is_not_cut_inside_an_image(
    model: CogVLMForCausalLM, reference: Reference
) -> None:
    with pytest.raises(ValueError, match="image slots"):
        model.generate(**reference.inputs("image_text"), max_new_tokens=1, prefill_chunk_size=7)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "image without slots": ({"token_type_ids": None}, "0 image slots"),
    "slots without image": ({"images": None}, "need 0"),
    "too many images": ({"images": "twice"}, "image slots"),
    "wrong size": ({"images": "small"}, "the model takes"),
    "types too short": ({"token_type_ids": torch.zeros(1, 3, dtype=torch.long)}, "The history is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_it_would_otherwise_drop(
    model: CogVLMForCausalLM, reference: Reference, name: str
) -> None:
    changes, message = REFUSED[name]
    inputs = reference.inputs("image_text") | changes
    picture = reference.tensors["preprocess.pixel_a"]
    if inputs["images"] == "twice":
        inputs["images"] = [[picture, picture]]
    if inputs["images"] == "small":
        inputs["images"] = [[picture[:, :28, :28]]]
    with pytest.raises(ValueError, match=message):
        model(**inputs)


def test_refuses_to_generate_after_right_padding(
    model: CogVLMForCausalLM, reference: Reference
) -> None:
    one = reference.inputs("batch_right_pad")
    inputs = {name: one[name][1:2] for name in ("input_ids", "token_type_ids", "attention_mask")}
    if inputs["attention_mask"][0, -1] == 1:
        inputs = {name: one[name][2:] for name in inputs}
        one["images"] = one["images"][1:]
    with pytest.raises(ValueError, match="pad on the left"):
        model.generate(**inputs, images=[one["images"][1]], max_new_tokens=1)


def test_refuses_a_cache_without_the_types_of_its_history(
    model: CogVLMForCausalLM, reference: Reference
) -> None:
    """One token after an image: its place is not the length of the cache."""
    with torch.no_grad():
        cache = model(**reference.inputs("image_text"), use_cache=True).past_key_values
        with pytest.raises(ValueError, match="position_ids"):
            model(input_ids=torch.tensor([[9]]), past_key_values=cache)


def test_a_misspelt_argument_is_not_swallowed(
    model: CogVLMForCausalLM, reference: Reference
) -> None:
    picture = reference.tensors["preprocess.pixel_a"]
    with pytest.raises(TypeError, match="pixel_values"):
        model(input_ids=torch.tensor([[1, 9]]), pixel_values=picture[None])


def test_embeddings_may_be_given_instead_of_ids(
    model: CogVLMForCausalLM, reference: Reference
) -> None:
    inputs = reference.inputs("image_text")
    ids, images = inputs.pop("input_ids"), inputs.pop("images")
    with torch.no_grad():
        embeds = model.model.embed(ids, inputs["token_type_ids"], images)
        logits = model(inputs_embeds=embeds, **inputs).logits
    torch.testing.assert_close(logits, reference.tensors["image_text.logits"], **CLOSE)
    with pytest.raises(ValueError, match="not with inputs_embeds"):
        model(inputs_embeds=embeds, images=images, **inputs)
    with pytest.raises(ValueError, match="either"):
        model(inputs_embeds=embeds, input_ids=ids, **inputs)


def test_gradients_reach_both_experts_and_the_image(reference: Reference) -> None:
    model = load_model(reference.folder)
    inputs = reference.inputs("image_text")
    labels = inputs["input_ids"].masked_fill(inputs["token_type_ids"] == 1, -100)
    loss = model(**inputs, labels=labels, use_cache=False).loss
    loss.backward()
    assert float(loss.detach()) > 0
    without = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert without == []


def test_gradient_checkpointing_changes_nothing(reference: Reference) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = load_model(reference.folder).train()
        if checkpointing:
            model.activation_checkpointing_enable()
        inputs = reference.inputs("batch_left_pad")
        model(**inputs, labels=inputs["input_ids"], use_cache=False).loss.backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)


def test_a_tied_head_is_stored_once(tmp_path: Path) -> None:
    source = read_model("cogvlm")
    config = CogVLMConfig(**source.config.to_dict() | {"tie_word_embeddings": True})
    model = CogVLMForCausalLM(config)
    model.load_state_dict(source.state_dict() | {"lm_head.weight": model.lm_head.weight})
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    ids = torch.tensor([[1, 20, 30]])
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, model.train(False)(ids).logits)


def test_auto_classes_read_what_was_saved(reference: Reference, tmp_path: Path) -> None:
    register_auto_classes()
    model = load_model(reference.folder)
    model.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).model_type == model.config.model_type
    inputs = reference.inputs("two_images")
    with torch.no_grad():
        expected = model(**inputs).logits
        for auto in (AutoModelForImageTextToText, AutoModelForCausalLM):
            again: Any = auto.from_pretrained(tmp_path)
            assert type(again) is type(model)
            assert torch.equal(again(**inputs).logits, expected)
        assert torch.equal(load_model(tmp_path)(**inputs).logits, expected)


def test_a_route_skips_an_expert_without_tokens() -> None:
    def never(_: torch.Tensor) -> torch.Tensor:
        raise AssertionError("called with no tokens")

    hidden = torch.ones(1, 3, 2)
    text = ExpertRoute.of(torch.zeros(1, 3, dtype=torch.bool))
    assert torch.equal(text.apply(hidden, vision=never, language=lambda x: x + 1), hidden + 1)
    image = ExpertRoute.of(torch.ones(1, 3, dtype=torch.bool))
    assert torch.equal(image.apply(hidden, vision=lambda x: x * 3, language=never), hidden * 3)


def test_half_precision_runs(reference: Reference) -> None:
    model = load_model(reference.folder, dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16
    with torch.no_grad():
        logits = model(**reference.inputs("batch_left_pad")).logits
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


RELEASED = {  # weights, image slots; CogAgent's without the layer, norm and head that nobody runs
    "cogvlm": (17_639_685_376, 1227),
    "cogvlm2": (19_503_105_280, 2306),
    "cogagent": (18_277_642_008, 258),
    "chatglm4v": (13_906_320_896, 1602),
}


def test_released_sizes_are_the_defaults() -> None:
    """Counted on the meta device."""
    from glm_vision.models.auto_classes import ARCHITECTURES

    tensors = {}
    config_class: Any
    model_class: Any
    for config_class, model_class in ARCHITECTURES:
        with torch.device("meta"):
            model = model_class(config_class())
        count = sum(weight.numel() for weight in model.parameters())
        assert (count, model.config.image_slots) == RELEASED[config_class.model_type]
        tensors[config_class.model_type] = len(model.state_dict()) + model.config.num_hidden_layers
    assert tensors["cogvlm2"] == 1221  # with inv_freq, as the released index lists
