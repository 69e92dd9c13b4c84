"""Which function loads an engine of which family.

Invariant: loaders are named, not imported; only a worker imports one.
"""

from __future__ import annotations

FAKE_MODEL = "fake"
LOADERS = {
    "code": "glm_codegen.code_engine:load_engine",
    "vision": "glm_vision.vision_engine:load_engine",
    "image": "glm_t2i.image_engine:load_engine",
    "fake": "glm_runtime.fake_engine:load_engine",
}
