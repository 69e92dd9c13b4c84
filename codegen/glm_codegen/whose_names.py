"""Names of documents and workspaces are a tenant's own: two tenants may call theirs the same.

So nothing that is filed under a name (memories, last suggestions, which request is the newest) is
ever met by a stranger who knows or guesses it.
"""

from __future__ import annotations

from dataclasses import replace

from glm_protocol.completion import CompletionRequest
from glm_protocol.remembering import RememberRequest
from glm_protocol.requests import AnyRequest


def with_own_names(request: AnyRequest, tenant: str) -> AnyRequest:
    """The request under names that only this tenant has; itself for the unnamed one."""
    if not tenant:
        return request
    own = f"{tenant}\0".__add__
    if isinstance(request, RememberRequest):
        return replace(request, workspace=own(request.workspace))
    if isinstance(request, CompletionRequest) and request.workspace:
        request = replace(request, workspace=own(request.workspace))
    return replace(request, document=own(request.document))
