"""Build hook: a wheel carries the bundled models; an editable install reads them in the tree."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundledModels(BuildHookInterface):  # type: ignore[type-arg]
    """Puts models/ where `glm_runtime.model_registry.bundled_models_folder` looks in a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """`version` is "standard" for a wheel and "editable" for `pip install -e`."""
        if version == "standard":
            build_data["force_include"]["models"] = "glm_runtime/bundled_models"
