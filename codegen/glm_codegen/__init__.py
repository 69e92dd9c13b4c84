"""Code language models: prompt formats, completion, evaluation. Importing this loads no torch.

It does announce CodeGeeX-13B to transformers' Auto classes, at the cost of no import: see
`models/registration.py`.
"""

from glm_codegen.models.registration import register as _register

_register()
