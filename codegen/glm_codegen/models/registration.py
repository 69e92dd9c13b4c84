"""Tells transformers' Auto classes of CodeGeeX-13B, without importing transformers or torch.

transformers takes 2 s to import, and most of this package (prompt formats, the language tables)
needs none of it. So its Auto modules are watched: each registers our class right after it was
executed, whoever imports it, or at once where it is loaded already. Tokenizers need no entry:
ours are plain `tokenizer.json` files.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_AUTO_CONFIG = "transformers.models.auto.configuration_auto"
_AUTO_MODELS = "transformers.models.auto.modeling_auto"
_CONFIG = "glm_codegen.models.codegeex_config"
_MODELS = "glm_codegen.models.codegeex"
_LAYERS = "transformers.modeling_layers"  # our models need it, and it loads the Auto classes


def _register_config() -> None:
    if _AUTO_CONFIG not in sys.modules or _is_half_loaded(_CONFIG, "CodeGeeXConfig"):
        return
    from glm_codegen.models.codegeex_config import CodeGeeXConfig

    auto: Any = sys.modules[_AUTO_CONFIG]
    auto.AutoConfig.register(CodeGeeXConfig.model_type, CodeGeeXConfig, exist_ok=True)


def _register_models() -> None:
    if _AUTO_MODELS not in sys.modules or _is_half_loaded(_MODELS, "CodeGeeXForCausalLM"):
        return
    if _is_half_loaded(_LAYERS, "GradientCheckpointingLayer"):
        return
    from glm_codegen.models.codegeex import CodeGeeXForCausalLM, CodeGeeXModel
    from glm_codegen.models.codegeex_config import CodeGeeXConfig

    auto: Any = sys.modules[_AUTO_MODELS]
    auto.AutoModel.register(CodeGeeXConfig, CodeGeeXModel, exist_ok=True)
    auto.AutoModelForCausalLM.register(CodeGeeXConfig, CodeGeeXForCausalLM, exist_ok=True)


def _is_half_loaded(name: str, last: str) -> bool:
    """Our module is what made transformers load its own: our turn comes when it is done."""
    return name in sys.modules and not hasattr(sys.modules[name], last)


_AFTER: dict[str, Callable[[], None]] = {
    _AUTO_CONFIG: _register_config,
    _AUTO_MODELS: _register_models,
    _CONFIG: _register_config,
    _MODELS: _register_models,
    _LAYERS: _register_models,
}


class _AutoModuleWatcher:
    """Finds nothing itself; has the watched modules' loaders call us when they are done.

    A finder by its one method: `importlib.abc` alone would take 30 ms to import.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _AFTER:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                _call_after_execution(spec.loader, _AFTER[fullname])
                return spec
        return None


def _call_after_execution(loader: Any, register: Callable[[], None]) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        register()

    loader.exec_module = exec_module


def register() -> None:
    """Register now where transformers is loaded, and later where it is not. Repeatable."""
    _register_config()
    _register_models()
    if not any(isinstance(finder, _AutoModuleWatcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AutoModuleWatcher())
