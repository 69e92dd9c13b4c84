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

_AUTO = "transformers.models.auto"


def _register_config(module: Any) -> None:
    from glm_codegen.models.codegeex_config import CodeGeeXConfig

    module.AutoConfig.register(CodeGeeXConfig.model_type, CodeGeeXConfig, exist_ok=True)


def _register_models(module: Any) -> None:
    from glm_codegen.models.codegeex import CodeGeeXForCausalLM, CodeGeeXModel
    from glm_codegen.models.codegeex_config import CodeGeeXConfig

    module.AutoModel.register(CodeGeeXConfig, CodeGeeXModel, exist_ok=True)
    module.AutoModelForCausalLM.register(CodeGeeXConfig, CodeGeeXForCausalLM, exist_ok=True)


_AFTER: dict[str, Callable[[ModuleType], None]] = {
    f"{_AUTO}.configuration_auto": _register_config,
    f"{_AUTO}.modeling_auto": _register_models,
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


def _call_after_execution(loader: Any, register: Callable[[ModuleType], None]) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        register(module)

    loader.exec_module = exec_module


def register() -> None:
    """Register now where transformers is loaded, and later where it is not. Repeatable."""
    for name, register_in in _AFTER.items():
        if name in sys.modules:
            register_in(sys.modules[name])
    if not any(isinstance(finder, _AutoModuleWatcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AutoModuleWatcher())
