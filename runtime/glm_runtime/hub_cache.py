"""Models of a hub that lie in its local cache. Nothing here connects to anywhere.

glm-lsp works offline: a model is fetched by the user, once, with the hub's own tool; from then
on its id is as good as a folder.
"""

from __future__ import annotations

from pathlib import Path

from glm_protocol.errors import ModelUnusable


def cached_folder(hub_id: str) -> Path:
    """The newest fetched state of OWNER/NAME. Raises ModelUnusable where there is none."""
    from huggingface_hub import constants

    owner, _, name = hub_id.partition("/")
    repository = Path(constants.HF_HUB_CACHE) / f"models--{owner}--{name}"
    try:
        commit = (repository / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        commit = ""
    folder = repository / "snapshots" / commit
    if not commit.isalnum() or not folder.is_dir():
        raise ModelUnusable(
            f"The model {hub_id} is not on this machine, and nothing is fetched by itself.",
            remedy=f"Fetch it once with `hf download {hub_id}`, or add a folder.",
        )
    return folder
