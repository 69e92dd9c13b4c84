"""`glm/finetune`: a workspace folder becomes an adapter, with progress, until its receipt.

The work is a job of the daemon: it goes on when the editor is closed. `$/cancelRequest` cancels
the job as well, since whoever asked for it here does not want it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from glm_lsp.features import configuration
from glm_lsp.features.long_work import Delivery
from glm_lsp.features.workspace_folders import path_in
from glm_lsp.json_body import JsonObject
from glm_lsp.params import read_string
from glm_lsp.rpc_errors import REQUEST_FAILED, InvalidParams, LspError
from glm_protocol.errors import GlmError

if TYPE_CHECKING:
    from glm_lsp.daemon_link import DaemonLink
    from glm_lsp.server import LanguageServer

JOBS = "/v1/fine_tuning/jobs"
LOOK_S = 0.5  # between looks at the job
ENDS = ("succeeded", "failed", "cancelled")


def finetune(server: LanguageServer, params: JsonObject) -> Coroutine[Any, Any, JsonObject]:
    """`{token, folder (uri), name?, dryRun?}`; the answer is the receipt."""
    delivery = Delivery(server, params)
    folder = path_in(read_string(params, "folder"))
    name = params.get("name")
    if not folder.is_absolute():
        raise InvalidParams("folder must be the URI of a folder.")
    body: JsonObject = {"training_file": str(folder), "dry_run": params.get("dryRun") is True}
    if isinstance(name, str) and name:
        body["suffix"] = name
    return _follow(server, delivery, body)


async def _follow(server: LanguageServer, delivery: Delivery, body: JsonObject) -> JsonObject:
    """Create the job and stay with it. Raises LspError with the daemon's words."""
    await server.configured.wait()
    link = configuration.link_of(server)
    try:
        job = await link.call("POST", JOBS, body)
        try:
            return await _receipt(link, delivery, str(job["id"]))
        except asyncio.CancelledError:
            await link.call("POST", f"{JOBS}/{job['id']}/cancel", {})
            raise
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error


async def _receipt(link: DaemonLink, delivery: Delivery, job_id: str) -> JsonObject:
    told = ""
    while True:
        job = await link.call("GET", f"{JOBS}/{job_id}")
        latest = await link.call("GET", f"{JOBS}/{job_id}/events?limit=1")
        for event in latest.get("data", []):
            if event["id"] != told:
                told = event["id"]
                _tell(delivery, event)
        if job["status"] in ENDS:
            return _outcome(job)
        await asyncio.sleep(LOOK_S)


def _tell(delivery: Delivery, event: JsonObject) -> None:
    """A step as progress, anything else as the words of the last known step."""
    data, message = event["data"], str(event["message"])
    if event["type"] == "metrics" and "steps" in data:
        delivery.step(int(data["step"]), int(data["steps"]), message)
    else:
        delivery.step(0, 0, message)


def _outcome(job: JsonObject) -> JsonObject:
    if job["status"] == "cancelled":
        raise LspError(REQUEST_FAILED, "The job was cancelled.")
    if job["status"] == "failed":
        raise LspError(REQUEST_FAILED, str((job.get("error") or {}).get("message", "")))
    receipt: JsonObject = job["glm"]["receipt"] or {}
    return receipt
