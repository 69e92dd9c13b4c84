"""The engine of models that see: requests in, chunks out, whatever a picture or a model does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from glm_protocol.answers import Chunk, FinishReason
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import (
    AdapterUnknown,
    BadRequest,
    GlmError,
    ModelUnusable,
    PromptTooLong,
    Unsupported,
)
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_vision.image_intake import ImageIntake
from glm_vision.vision_engine import VisionEngine, load_engine
from tests.vision.scripted_model import (
    ScriptedModel,
    character_tokenizer,
    finish,
    png,
    question,
    write_tiny_cogvlm,
)

RED = png(Image.new("RGB", (40, 30), "red"))
INFO = EngineInfo(
    model="tiny",
    family="vision",
    architecture="scripted",
    device="cpu",
    dtype="float32",
    context_length=4096,
    memory_bytes=0,
    capabilities=("chat", "image_in"),
)


@pytest.fixture(scope="module")
def intake() -> Iterator[ImageIntake]:
    with ImageIntake() as made:
        yield made


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisionEngine]:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_cogvlm(folder)
    engine = load_engine(EngineOptions(model=str(folder), dtype="float32", device="cpu"))
    yield engine
    engine.close()


def scripted(intake: ImageIntake, *answers: str, **more: Any) -> tuple[VisionEngine, ScriptedModel]:
    model = ScriptedModel(*answers, **more)
    return VisionEngine(model, INFO, intake=intake), model


def test_a_real_model_answers_the_same_with_and_without_company(tiny: VisionEngine) -> None:
    assert tiny.info.capabilities == ("chat", "image_in")
    assert (tiny.info.family, tiny.info.architecture) == ("vision", "cogvlm")
    request = question("What?", RED, max_tokens=12)
    text, end = finish(tiny, request)
    assert (text, end.tokens.generated) == (finish(tiny, request)[0], end.tokens.generated)
    assert 0 < end.tokens.generated <= 12
    assert end.report["image_tokens"] == 6
    assert end.timings_ms.total >= end.timings_ms.prefill > 0
    plain, plain_end = finish(tiny, question("What?", max_tokens=12))
    assert plain_end.report["image_tokens"] == 0
    assert plain != text


def test_sampling_repeats_with_its_seed(tiny: VisionEngine) -> None:
    def told(seed: int) -> str:
        return finish(tiny, question("?", RED, max_tokens=8, temperature=1.5, seed=seed))[0]

    assert told(1) == told(1)
    assert len({told(seed) for seed in range(6)}) > 1


def test_text_is_streamed_and_a_stop_word_ends_it(intake: ImageIntake) -> None:
    engine, model = scripted(intake, "one two three")
    engine.submit(question("?", RED, stop=(" three",)))
    pieces = []
    while engine.busy:
        pieces += [chunk.text for _, chunk in engine.step() if not isinstance(chunk, GlmError)]
    assert "".join(pieces) == "one two"
    assert len([piece for piece in pieces if piece]) > 3
    assert model.streams[0].closed


def test_the_budget_ends_it(intake: ImageIntake) -> None:
    engine, _ = scripted(intake, "a" * 50)
    text, end = finish(engine, question("?", RED, max_tokens=10))
    assert (text, end.finish) == ("a" * 10, FinishReason.LENGTH)


def test_cancel_stops_the_model_and_leaves_nothing(intake: ImageIntake) -> None:
    engine, model = scripted(intake, "a" * 50, "next")
    engine.submit(question("?", RED))
    for _ in range(5):
        engine.step()
    engine.cancel("q")
    assert not engine.busy
    assert model.streams[0].closed
    assert finish(engine, question("?", RED))[0] == "next"
    engine.cancel("unknown")


def test_a_newer_request_of_the_document_takes_its_place(intake: ImageIntake) -> None:
    engine, _ = scripted(intake, "a" * 50, "next")
    engine.submit(question("?", RED, id="old"))
    engine.step()
    engine.step()
    engine.submit(question("?", RED, id="new"))
    events = []
    while engine.busy:
        events += engine.step()
    chunks = [(key, chunk) for key, chunk in events if isinstance(chunk, Chunk)]
    ends = {key: chunk.end.finish for key, chunk in chunks if chunk.end is not None}
    assert ends == {"old": FinishReason.SUPERSEDED, "new": FinishReason.STOP}


def test_the_deadline_ends_it_with_what_is_there(intake: ImageIntake) -> None:
    now = [0.0]
    model = ScriptedModel("a" * 50)
    engine = VisionEngine(model, INFO, intake=intake, clock=lambda: now[0])
    engine.submit(question("?", RED, deadline_ms=1000))
    events = []
    for _ in range(6):
        events += engine.step()
    now[0] = 2.0
    events += engine.step()
    assert not engine.busy
    end = events[-1][1].end  # type: ignore[union-attr]
    assert end is not None
    assert end.finish is FinishReason.DEADLINE
    assert "a" in "".join(chunk.text for _, chunk in events)  # type: ignore[union-attr]


def test_what_cannot_be_done_is_refused_at_once(intake: ImageIntake) -> None:
    engine, _ = scripted(intake, sees=False)
    with pytest.raises(Unsupported, match="tiny cannot see"):
        engine.submit(question("?", RED))
    with pytest.raises(AdapterUnknown):
        engine.submit(question("?", adapter="mine"))
    with pytest.raises(Unsupported, match="no task"):
        engine.submit(question("?", options={"task": "dance"}))
    with pytest.raises(Unsupported, match="no form"):
        engine.submit(question("?", options={"task": "chart", "form": "plantuml"}))
    context = CodeContext(path="a.py", language="python", prefix="", suffix="")
    with pytest.raises(Unsupported, match="cannot complete"):
        engine.submit(CompletionRequest(id="c", document="d", context=context))
    engine.submit(question("?"))
    with pytest.raises(BadRequest, match="at work already"):
        engine.submit(question("?", document="other"))


def test_a_task_needs_a_picture(intake: ImageIntake) -> None:
    engine, _ = scripted(intake)
    with pytest.raises(BadRequest, match="needs a picture"):
        finish(engine, question("", options={"task": "read"}))


@pytest.mark.parametrize(
    "bad", [b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", RED[:60]]
)
def test_a_bad_picture_is_told_and_the_next_one_works(intake: ImageIntake, bad: bytes) -> None:
    engine, _ = scripted(intake, "red")
    request = question("?", RED, id="bad")
    if bad:
        request = question("?", bad, id="bad")
        with pytest.raises(BadRequest):
            finish(engine, request)
    assert not engine.busy
    assert finish(engine, question("?", RED))[0] == "red"


def test_a_model_that_raises_ends_its_own_request_alone(intake: ImageIntake) -> None:
    engine, model = scripted(intake, "fine")

    def fail(*_: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    start = model.start
    model.start = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(GlmError, match="could not take this"):
        finish(engine, question("?", RED))
    model.start = start  # type: ignore[method-assign]
    assert finish(engine, question("?", RED))[0] == "fine"


def test_a_long_question_is_refused_by_the_model(tiny: VisionEngine) -> None:
    with pytest.raises(PromptTooLong):
        finish(tiny, question("a" * 400, RED))


def test_a_folder_without_a_tokenizer_is_unusable(tmp_path: Path) -> None:
    write_tiny_cogvlm(tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").unlink()
    with pytest.raises(ModelUnusable, match=r"tokenizer\.json"):
        load_engine(EngineOptions(model=str(tmp_path / "m"), device="cpu"))


TEMPLATE = (
    "{% for m in messages %}{{m['role']}}: {% for c in m['content'] %}{% if c['type']=='image' %}"
    "<image>{% else %}{{c['text']}}{% endif %}{% endfor %}\n{% endfor %}assistant:"
)


def write_tiny_llava(folder: Path, *, blind: bool = False) -> None:
    """A model that transformers itself knows, with its processor."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    raw = character_tokenizer()
    raw.add_special_tokens(["<image>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    tokenizer.chat_template = TEMPLATE
    images = CLIPImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    small: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    vision = CLIPVisionConfig(**small, image_size=28, patch_size=14, projection_dim=16)
    text = LlamaConfig(
        **small, num_key_value_heads=2, vocab_size=len(tokenizer), max_position_embeddings=512
    )
    made: Any = LlavaConfig
    config = made(
        vision_config=vision.to_dict(),
        text_config=text.to_dict(),
        image_token_id=raw.token_to_id("<image>"),
        image_seq_length=4,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    if blind:
        tokenizer.chat_template = "{% for m in messages %}{{m['content']}}{% endfor %}"
    (tokenizer if blind else processor).save_pretrained(folder)


def test_any_model_of_transformers_has_the_same_interface(tmp_path: Path) -> None:
    write_tiny_llava(tmp_path / "llava")
    engine = load_engine(
        EngineOptions(model=str(tmp_path / "llava"), device="cpu", dtype="float32")
    )
    assert (engine.info.architecture, engine.info.context_length) == ("llava", 512)
    assert engine.info.capabilities == ("chat", "image_in")
    one = finish(engine, question("hi", RED, max_tokens=6))
    assert one[1].report["image_tokens"] == 4
    two = finish(engine, question("hi", RED, RED, max_tokens=6))
    assert two[1].report["image_tokens"] == 8
    none = finish(engine, question("hi", max_tokens=6))
    assert none[1].report["image_tokens"] == 0
    assert finish(engine, question("hi", RED, max_tokens=6))[0] == one[0]
    with pytest.raises(PromptTooLong):
        finish(engine, question("a" * 600, RED))
    engine.close()


def test_a_processor_without_pictures_makes_a_blind_model(tmp_path: Path) -> None:
    write_tiny_llava(tmp_path / "blind", blind=True)
    engine = load_engine(
        EngineOptions(model=str(tmp_path / "blind"), device="cpu", dtype="float32")
    )
    assert engine.info.capabilities == ("chat",)
    with pytest.raises(Unsupported, match="cannot see"):
        engine.submit(question("?", RED))
    assert finish(engine, question("hi", max_tokens=4))[1].tokens.generated > 0
    engine.close()
