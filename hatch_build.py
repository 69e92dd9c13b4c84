"""Build hook: a wheel carries the bundled models and the native engine of its platform.

An editable install reads the models in the tree and has the engine compiled beside its source.
Without a C++ compiler the wheel is one for any platform, its engine is compiled on first use
where there is one, and torch computes where there is none.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILD = Path("runtime", "glm_runtime", "native", "engine_build.py")


class BundledParts(BuildHookInterface):  # type: ignore[type-arg]
    """Puts models/ where `glm_runtime.model_registry.bundled_models_folder` looks in a wheel,
    and the engine where `glm_runtime.native.engine_build` looks."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """`version` is "standard" for a wheel and "editable" for `pip install -e`."""
        # By path: the package itself must not be imported before it is built.
        engine = runpy.run_path(str(Path(self.root) / BUILD))
        try:
            library = engine["built_library"]()
        except engine["NoCompiler"] as error:
            print(f"glm-lsp: no native engine in this build: {error}", file=sys.stderr)
            library = None
        if version != "standard":
            return
        build_data["force_include"]["models"] = "glm_runtime/bundled_models"
        if library is not None:
            build_data["force_include"][str(library)] = "glm_runtime/native/glm_engine.so"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform_tag()}"


def _platform_tag() -> str:
    """The tag of this machine; the engine needs no Python, so any version of it will do."""
    import sysconfig

    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
