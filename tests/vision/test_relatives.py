"""CogAgent-18B and GLM-4V-9B against the same models written down a second time, by loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, GlmConfig, GlmForCausalLM

from glm_protocol.errors import PromptTooLong
from glm_runtime.engine import EngineOptions
from glm_vision import load_model
from glm_vision.model_folder import is_own_architecture
from glm_vision.models.auto_classes import register_auto_classes
from glm_vision.models.vision_offload import VisionOffload
from glm_vision.own_reader import OwnReader
from glm_vision.prompt_templates import Turn as Past
from glm_vision.prompt_templates import agent_question, render_cogagent
from glm_vision.vision_engine import load_engine
from glm_vision.vision_model import Turn
from tests.vision.plain_forward import Weights, cogagent_logits, glm4v_9b_logits
from tests.vision.scripted_model import finish, png, question
from tests.vision.tiny_relatives import COGAGENT, GLM4V, write_cogagent, write_glm4v

CLOSE: dict[str, Any] = {"atol": 2e-4, "rtol": 1e-4}  # as for the parity cases; fp32
COGAGENT_SLOTS, GLM4V_SLOTS = 11, 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Weights]]:
    folder = tmp_path_factory.mktemp("relatives")
    return folder, {
        "cogagent": write_cogagent(folder / "cogagent"),
        "glm4v": write_glm4v(folder / "glm4v"),
    }


def pictures(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """For CogAgent's two encoders and for GLM-4V-9B's."""
    torch.manual_seed(seed)
    return torch.randn(3, 12, 12), torch.randn(3, 20, 20), torch.randn(3, 16, 16)


def row(slots: int, text: list[int], *, before: list[int]) -> tuple[list[int], list[int]]:
    ids = [*before, *[0] * slots, *text]
    return ids, [*[0] * len(before), *[1] * slots, *[0] * len(text)]


def one(ids: list[int], types: list[int]) -> dict[str, Any]:
    return {"input_ids": torch.tensor([ids]), "token_type_ids": torch.tensor([types])}


def padded(*rows: tuple[list[int], list[int]]) -> dict[str, Any]:
    """Several rows, padded on the left."""
    length = max(len(ids) for ids, _ in rows)
    empty = [length - len(ids) for ids, _ in rows]
    parts = list(zip(empty, rows, strict=True))
    return {
        "input_ids": torch.tensor([[0] * gap + ids for gap, (ids, _) in parts]),
        "token_type_ids": torch.tensor([[0] * gap + types for gap, (_, types) in parts]),
        "attention_mask": torch.tensor([[0] * gap + [1] * len(ids) for gap, (ids, _) in parts]),
    }


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_cogagent_equals_its_description(made: Any, attention: str) -> None:
    folder, weights = made
    model = load_model(folder / "cogagent", attn_implementation=attention)
    coarse, fine, _ = pictures(1)
    ids, types = row(COGAGENT_SLOTS, [20, 30, 40, 50], before=[1])
    expected = cogagent_logits(weights["cogagent"], COGAGENT, ids, types, coarse, fine)
    with torch.no_grad():
        logits = model(**one(ids, types), images=[[coarse]], cross_images=[[fine]]).logits
    torch.testing.assert_close(logits[0], expected, **CLOSE)
    blind = cogagent_logits(weights["cogagent"], COGAGENT, [1, 20, 30], [0] * 3, None, None)
    with torch.no_grad():
        torch.testing.assert_close(model(torch.tensor([[1, 20, 30]])).logits[0], blind, **CLOSE)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_glm4v_9b_equals_its_description(made: Any, attention: str) -> None:
    folder, weights = made
    model = load_model(folder / "glm4v", attn_implementation=attention)
    _, _, picture = pictures(2)
    ids, types = row(GLM4V_SLOTS, [20, 30, 40, 50, 60], before=[100, 101, 7])
    expected = glm4v_9b_logits(weights["glm4v"], GLM4V, ids, types, picture)
    with torch.no_grad():
        logits = model(**one(ids, types), images=[[picture]]).logits
    torch.testing.assert_close(logits[0], expected, **CLOSE)


def test_glm4v_9b_reads_text_as_transformers_glm(made: Any) -> None:
    """The language part against somebody else's: the same weights under other names."""
    folder, weights = made
    own = load_model(folder / "glm4v")
    config: Any = GlmConfig(
        vocab_size=110,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        rms_norm_eps=1e-5,
        attention_bias=True,
        pad_token_id=99,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 20_000.0,
            "partial_rotary_factor": 0.5,
        },
    )
    other = GlmForCausalLM(config).eval()
    state = {}
    for name, weight in weights["glm4v"].items():
        if "vision" in name:
            continue
        name = name.removeprefix("transformer.").replace("encoder.layers", "model.layers")
        name = name.replace("embedding.word_embeddings", "model.embed_tokens")
        name = name.replace("encoder.final_layernorm", "model.norm")
        name = name.replace("output_layer", "lm_head").replace("self_attention", "self_attn")
        name = name.replace("attn.dense", "attn.o_proj")
        name = name.replace("dense_h_to_4h", "gate_up_proj").replace("dense_4h_to_h", "down_proj")
        if "query_key_value" in name:
            for letter, part in zip("qkv", weight.split([32, 16, 16]), strict=True):
                state[name.replace("query_key_value", f"{letter}_proj")] = part
        else:
            state[name] = weight
    other.load_state_dict(state)
    ids = torch.tensor([[100, 101, 20, 30, 40, 50, 60]])
    with torch.no_grad():
        torch.testing.assert_close(own(ids).logits, other(ids).logits, **CLOSE)


def test_cogagent_rows_with_one_picture_two_and_none(made: Any) -> None:
    folder, _ = made
    model = load_model(folder / "cogagent")
    (a, fine_a, _), (b, fine_b, _) = pictures(1), pictures(5)
    alone, text = row(COGAGENT_SLOTS, [20, 30], before=[1]), ([1, 40, 50], [0, 0, 0])
    both = ([1, *[0] * 11, 9, *[0] * 11, 33], [0, *[1] * 11, 0, *[1] * 11, 0])
    images, fine = [[a], [], [b, a]], [[fine_a], [], [fine_b, fine_a]]
    batch = padded(alone, text, both)
    with torch.no_grad():
        together = model(**batch, images=images, cross_images=fine).logits
        for number, (ids, types) in enumerate((alone, text, both)):
            single = model(
                **one(ids, types), images=[images[number]], cross_images=[fine[number]]
            ).logits[0]
            torch.testing.assert_close(together[number, -len(ids) :], single, **CLOSE)


@pytest.mark.parametrize("name", ["cogagent", "glm4v"])
def test_generation_is_the_same_with_and_without_a_cache(made: Any, name: str) -> None:
    """Also by hand, step by step, and in a batch with a row of text."""
    folder, _ = made
    model = load_model(folder / name)
    coarse, fine, picture = pictures(3)
    slots = COGAGENT_SLOTS if name == "cogagent" else GLM4V_SLOTS
    seen, text = row(slots, [20, 30, 40], before=[7]), ([7, 20, 50], [0, 0, 0])
    shown: dict[str, Any] = {"images": [[coarse], []], "cross_images": [[fine], []]}
    if name == "glm4v":
        shown = {"images": [[picture], []]}
    how: dict[str, Any] = {"do_sample": False, "max_new_tokens": 6, "eos_token_id": None}
    both = padded(seen, text)
    cached = model.generate(**both, **shown, **how)
    assert torch.equal(cached, model.generate(**both, **shown, **how, use_cache=False))
    alone = {key: value[:1] for key, value in shown.items()}
    single = model.generate(**one(*seen), **alone, **how)
    assert torch.equal(single[0], cached[0])
    plain = model.generate(**one(*text), **how)
    assert torch.equal(plain[0, -6:], cached[1, -6:])
    beams = model.generate(**both, **shown, **how, num_beams=2, num_return_sequences=2)
    assert beams.shape[0] == 4
    assert single[0, -6:].tolist() != plain[0, -6:].tolist()


@pytest.mark.parametrize("name", ["cogagent", "glm4v"])
def test_text_steps_touch_no_vision_weight_and_offloading_changes_nothing(
    made: Any, name: str
) -> None:
    folder, _ = made
    model, plain = load_model(folder / name), load_model(folder / name)
    offload = VisionOffload(model, torch.device("cpu"))
    coarse, fine, picture = pictures(4)
    slots = COGAGENT_SLOTS if name == "cogagent" else GLM4V_SLOTS
    shown: dict[str, Any] = {"images": [[coarse]], "cross_images": [[fine]]}
    if name == "glm4v":
        shown = {"images": [[picture]]}
    how: dict[str, Any] = {"do_sample": False, "max_new_tokens": 5, "eos_token_id": None}
    asked = one(*row(slots, [20, 30], before=[7]))
    answer = model.generate(**asked, **shown, **how)
    assert torch.equal(answer, plain.generate(**asked, **shown, **how))
    assert offload.fetches == len(list(model.vision_pieces()))  # with the prompt, once each
    model.generate(torch.tensor([[7, 20, 30]]), **how)
    assert offload.fetches == len(list(model.vision_pieces()))


def test_cogagent_wants_both_sizes_of_every_picture(made: Any) -> None:
    folder, _ = made
    model = load_model(folder / "cogagent")
    coarse, fine, _ = pictures(1)
    asked = one(*row(COGAGENT_SLOTS, [20], before=[1]))
    with pytest.raises(ValueError, match="the same pictures"):
        model(**asked, images=[[coarse]])
    with pytest.raises(ValueError, match="the same pictures"):
        model(input_ids=torch.tensor([[1, 2]]), cross_images=[[fine]])
    with pytest.raises(ValueError, match="fine images"):
        model(**asked, images=[[coarse]], cross_images=[[coarse]])


@pytest.mark.parametrize("name", ["cogagent", "glm4v"])
def test_auto_classes_read_what_was_saved(made: Any, tmp_path: Path, name: str) -> None:
    register_auto_classes()
    model = load_model(made[0] / name)
    model.save_pretrained(tmp_path)
    ids = torch.tensor([[7, 20, 30]])
    with torch.no_grad():
        expected = model(ids).logits
        again: Any = AutoModelForImageTextToText.from_pretrained(tmp_path)
        assert type(again) is type(model)
        assert torch.equal(again(ids).logits, expected)
        assert torch.equal(load_model(tmp_path)(ids).logits, expected)


@pytest.mark.parametrize("name", ["cogagent", "glm4v"])
def test_gradients_reach_every_weight(made: Any, name: str) -> None:
    model = load_model(made[0] / name)
    coarse, fine, picture = pictures(6)
    slots = COGAGENT_SLOTS if name == "cogagent" else GLM4V_SLOTS
    shown: dict[str, Any] = {"images": [[coarse]], "cross_images": [[fine]]}
    if name == "glm4v":
        shown = {"images": [[picture]]}
    asked = one(*row(slots, [20, 30, 40], before=[7]))
    loss = model(**asked, **shown, labels=asked["input_ids"], use_cache=False).loss
    loss.backward()
    assert [n for n, weight in model.named_parameters() if weight.grad is None] == []


PAST = [Past(question="a?", answer="b")]


def test_cogagent_templates() -> None:
    assert render_cogagent("chat", "c?") == " [INST] c? [/INST] "
    assert render_cogagent("chat", "c?", PAST) == " [INST] a? [/INST] b [INST] c? [/INST] "
    assert render_cogagent("vqa", "c?", PAST) == "<EOI>Question: c? Short answer:"
    old = "<EOI>Question: a? Answer: b\nQuestion: c? Answer:"
    assert render_cogagent("chat_old", "c?", PAST) == old
    assert render_cogagent("base", "c?", PAST) == "c?"
    with pytest.raises(ValueError, match="chat_old"):
        render_cogagent("poem", "c?")
    asked = agent_question("buy milk", grounded=True)
    assert asked == 'What steps do I need to take to "buy milk"?(with grounding)'


def test_cogagent_sees_a_picture_at_both_sizes(made: Any) -> None:
    reader = OwnReader(made[0] / "cogagent", load_model(made[0] / "cogagent"))
    turn = Turn(role="user", text="hi", pictures=(Image.new("RGB", (30, 50), "red"),))
    prompt = reader.processor.chat([turn])
    assert prompt.text == " [INST] hi [/INST] "
    assert prompt.image_tokens == COGAGENT_SLOTS
    batch = reader.processor.batch([prompt, reader.processor.chat([Turn(role="user", text="x")])])
    assert [[p.shape[-1] for p in row] for row in batch["cross_images"]] == [[20], []]
    assert [[p.shape[-1] for p in row] for row in batch["images"]] == [[12], []]


def test_glm4v_9b_chat_has_roles_and_marks(made: Any) -> None:
    reader = OwnReader(made[0] / "glm4v", load_model(made[0] / "glm4v"))
    tokenizer = reader.tokenizer
    image = Image.new("RGB", (30, 50), "red")
    turns = [
        Turn(role="system", text="be brief"),
        Turn(role="user", text="hi", pictures=(image,)),
        Turn(role="assistant", text="ok"),
        Turn(role="user", text="<|user|>", pictures=(image, image)),
    ]
    prompt = reader.processor.chat(turns)
    newline = tokenizer.encode("\n")
    run = [104, *[99] * (GLM4V_SLOTS - 2), 105]
    special = tokenizer.special
    assert prompt.input_ids == [
        *(special("[gMASK]"), special("<sop>")),
        *(special("<|system|>"), *newline, *tokenizer.encode("be brief")),
        *(special("<|user|>"), *newline, *run, *tokenizer.encode("hi")),
        *(special("<|assistant|>"), *newline, *tokenizer.encode("ok")),
        *(special("<|user|>"), *newline, *run, *newline, *run, *tokenizer.encode("<|user|>")),
        special("<|assistant|>"),
    ]
    assert prompt.input_ids.count(special("<|user|>")) == 2  # no text becomes a role
    assert prompt.image_tokens == 3 * GLM4V_SLOTS
    assert len(prompt.images) == 3
    with pytest.raises(PromptTooLong):
        reader.processor.chat([Turn(role="user", text="a" * 300)])


@pytest.mark.parametrize(("name", "slots"), [("cogagent", 11), ("glm4v", 6)])
def test_the_engine_serves_them(made: Any, name: str, slots: int) -> None:
    engine = load_engine(EngineOptions(model=str(made[0] / name), device="cpu", dtype="float32"))
    assert engine.info.capabilities == ("chat", "image_in")
    shown = png(Image.new("RGB", (40, 30), "red"))
    _, end = finish(engine, question("What?", shown, max_tokens=6))
    assert end.report["image_tokens"] == slots
    _, end = finish(engine, question("What?", shown, shown, max_tokens=6))
    assert end.report["image_tokens"] == 2 * slots
    _, end = finish(engine, question("What?", max_tokens=6))
    assert end.report["image_tokens"] == 0
    engine.close()


def test_a_text_only_chatglm_is_not_taken_for_one_that_sees() -> None:
    assert is_own_architecture(GLM4V)
    assert not is_own_architecture({**GLM4V, "vision_config": None})
    assert is_own_architecture({**COGAGENT, "model_type": None})
