"""Text to image: CogView and CogView2 natively, computed here and checked tensor by tensor.

`load_model` reads any of their networks; `glm_t2i.pipelines` draws, captions, ranks, enlarges and
fills in. Never imports the code or vision units; knows neither HTTP nor editors.
"""

from glm_t2i.models.loading import PictureModel, load_model

__all__ = ["PictureModel", "load_model"]
