"""Make transformers' Auto classes know these architectures; called, never done by an import."""

from __future__ import annotations

from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    PreTrainedConfig,
)

from glm_vision.models.cogagent import CogAgentConfig, CogAgentForCausalLM
from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.cogvlm2 import CogVLM2Config, CogVLM2ForCausalLM
from glm_vision.models.cogvlm_config import CogVLMConfig
from glm_vision.models.glm4v_9b import GLM4V9BConfig, GLM4V9BForCausalLM

OwnModel = CogVLMForCausalLM | GLM4V9BForCausalLM
ARCHITECTURES: tuple[tuple[type[PreTrainedConfig], type[OwnModel]], ...] = (
    (CogVLMConfig, CogVLMForCausalLM),
    (CogVLM2Config, CogVLM2ForCausalLM),
    (CogAgentConfig, CogAgentForCausalLM),
    (GLM4V9BConfig, GLM4V9BForCausalLM),
)


def register_auto_classes() -> None:
    """May be called again. Needed before `AutoModelForImageTextToText` reads a saved folder."""
    for config, model in ARCHITECTURES:
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModelForCausalLM.register(config, model, exist_ok=True)
        AutoModelForImageTextToText.register(config, model, exist_ok=True)
