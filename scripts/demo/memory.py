"""The memory of a workspace: the same question before and after the engine has seen the files.

A module of names that no model can know is written to a temporary folder.
"""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from pathlib import Path

from glm_client.daemon_client import DaemonClient
from glm_client.memory_feed import feed, workspace_name
from glm_codegen.evaluate.repository_holes import workspace_texts
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest, GhostText
from glm_protocol.request_fields import Trigger

GREENHOUSE = '''from greenhouse.sensors import MoistureProbe, read_lux


def water_tomatoes(probe: MoistureProbe) -> float:
    """Litres that the tomatoes need."""
    return probe.thirst_in_litres(minutes=30)
'''
FILES = {"greenhouse/tomatoes.py": GREENHOUSE, "greenhouse/herbs.py": GREENHOUSE.replace(
    "tomatoes", "herbs")}  # fmt: skip
QUESTIONS = (
    "from greenhouse.sensors import ",
    "def water_beans(probe: MoistureProbe",
    "x = probe.",
)


async def ask(root: Path) -> None:
    """Each question without and with the memory."""
    name = workspace_name(root)
    async with DaemonClient() as client:
        await client.connect()
        async for end in feed(client, name, workspace_texts(root)):
            held = end.report
        print(f"the engine remembers {held['documents']} files, {held['tokens']} tokens\n")
        for question in QUESTIONS:
            said = []
            for memory in (False, True):
                request = CompletionRequest(
                    id=uuid.uuid4().hex,
                    document="beans",
                    context=CodeContext(
                        path="beans.py", language="python", prefix=question, suffix="\n"
                    ),
                    mode=CompletionMode.LINE,
                    trigger=Trigger.EXPLICIT,
                    max_tokens=24,
                    deadline_ms=60_000,
                    workspace=name,
                    memory=memory,
                    ghost=GhostText(),
                )
                end = (await client.whole(request)).end
                said.append(str(end.report.get("final", "")).strip() or "(nothing)")
            print(f"  {question}")
            print(f"    the model alone:  {said[0]}")
            print(f"    with its memory:  {said[1]}")


def play(_: Path) -> None:
    """Write the files, feed them, ask."""
    print("\nwhat nano-code learns from a workspace without training:\n")
    with tempfile.TemporaryDirectory(prefix="glm-demo-greenhouse-") as folder:
        for name, text in FILES.items():
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        asyncio.run(ask(Path(folder)))
