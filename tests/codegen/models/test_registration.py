"""`import glm_codegen` announces CodeGeeX, costs no torch, and works in whatever order."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from glm_codegen.models.registration import register

_ANNOUNCED_FIRST = """
import sys
import glm_codegen, glm_codegen.prompt_formats.choose
heavy = {"torch", "transformers", "numpy"} & set(sys.modules)
assert not heavy, heavy
import glm_codegen.models.codegeex  # the hardest order: it makes transformers load its own
from transformers import AutoConfig, AutoModelForCausalLM, AutoModel
config = AutoConfig.for_model("codegeex")
for auto, name in ((AutoModelForCausalLM, "CodeGeeXForCausalLM"), (AutoModel, "CodeGeeXModel")):
    assert auto._model_mapping[type(config)].__name__ == name
"""


def test_announced_before_transformers_is_loaded_and_light() -> None:
    command = [sys.executable, "-P", "-W", "error", "-c", _ANNOUNCED_FIRST]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_announced_after_transformers_was_loaded() -> None:
    models: Any = AutoModelForCausalLM
    for mapping in (CONFIG_MAPPING, models._model_mapping):
        mapping._extra_content.clear()
    register()
    register()
    config = AutoConfig.for_model("codegeex")
    assert models._model_mapping[type(config)].__name__ == "CodeGeeXForCausalLM"
    watchers = [finder for finder in sys.meta_path if "Watcher" in type(finder).__name__]
    assert len(watchers) == 1
