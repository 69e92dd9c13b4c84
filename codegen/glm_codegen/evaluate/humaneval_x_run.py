"""HumanEval-X through the daemon: what is asked for each problem, and the tally of verdicts.

Generation asks for the body at the prompt's end, as an editor would (block mode, no suffix); the
engine's own rules end it, and closing brackets that the prompt opened are added. Translation sends
the reference solution as one unit and names the function that the tests will call.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glm_codegen.evaluate.humaneval_x_problems import Problem
from glm_codegen.evaluate.humaneval_x_programs import (
    Verdict,
    judge,
    program_of,
    program_of_translation,
)
from glm_codegen.evaluate.pass_at_k import mean_pass_at_k
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest
from glm_protocol.request_fields import Trigger
from glm_protocol.requests import AnyRequest
from glm_protocol.translation import TranslationRequest

DEADLINE_MS = 600_000
_STRINGS = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])'", re.DOTALL)
BRACES = ("javascript", "java", "cpp", "go", "rust")

Ask = Callable[[AnyRequest], Awaitable[str]]
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How answers are drawn. One sample is greedy unless a temperature is given."""

    model: str | None = None
    adapter: str | None = None
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 0.95
    max_tokens: int = 512


@dataclass(kw_only=True, slots=True)
class Tally:
    """Verdicts by problem."""

    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)
    generations: list[dict[str, str]] = field(default_factory=list)

    def add(self, problem: Problem, generation: str, verdict: Verdict) -> None:
        self.verdicts.setdefault(problem.task_id, []).append(verdict)
        self.generations.append({"task_id": problem.task_id, "generation": generation})

    def report(self, language: str) -> dict[str, Any]:
        """What `--json` prints of one language."""
        passed = {task: found.count(Verdict.PASSED) for task, found in self.verdicts.items()}
        counts = [(len(found), passed[task]) for task, found in self.verdicts.items()]
        kinds = Counter(str(verdict) for found in self.verdicts.values() for verdict in found)
        return {
            "language": language,
            "problems": len(counts),
            "samples": sum(samples for samples, _ in counts),
            "pass_at_k": {str(k): round(v, 4) for k, v in mean_pass_at_k(counts).items()},
            "verdicts": dict(sorted(kinds.items())),
            "passed": sorted(task for task, count in passed.items() if count),
        }


async def generate(
    problems: Sequence[Problem], language: str, sampling: Sampling, ask: Ask, tell: Tell
) -> Tally:
    """Ask for every sample of every problem and judge it. Raises what `ask` raises."""
    tally = Tally()
    for number, problem in enumerate(problems, start=1):
        for sample in range(sampling.samples):
            said = await ask(_completion(problem, language, sampling, sample))
            generation = closed(problem.prompt, said, language)
            verdict, _ = judge(program_of(problem, generation, language), language)
            tally.add(problem, generation, verdict)
        tell(f"{number}/{len(problems)} {problem.task_id}: {tally.verdicts[problem.task_id][-1]}")
    return tally


async def translate(
    sources: Mapping[str, Problem],
    targets: Sequence[Problem],
    languages: tuple[str, str],
    sampling: Sampling,
    ask: Ask,
    tell: Tell,
) -> Tally:
    """The same for translations; `sources` by the number of the problem."""
    tally = Tally()
    for number, target in enumerate(targets, start=1):
        source = sources.get(target.number)
        if source is None:
            continue
        for sample in range(sampling.samples):
            said = await ask(_translation(source, target, languages, sampling, sample))
            verdict, _ = judge(program_of_translation(target, said, languages[1]), languages[1])
            tally.add(target, said, verdict)
        tell(f"{number}/{len(targets)} {target.task_id}: {tally.verdicts[target.task_id][-1]}")
    return tally


def judge_samples(
    problems: Sequence[Problem],
    samples: Mapping[str, Sequence[str]],
    language: str,
    tell: Tell,
    *,
    translations: bool = False,
) -> Tally:
    """Judge generations that were made elsewhere; problems without one are left out."""
    tally = Tally()
    assemble = program_of_translation if translations else program_of
    for problem in problems:
        for generation in samples.get(problem.task_id, ()):
            verdict, detail = judge(assemble(problem, generation, language), language)
            tally.add(problem, generation, verdict)
            last = detail.strip().splitlines()[-1:] if detail else []
            tell(f"{problem.task_id}: {verdict}{': ' if last else ''}{''.join(last)[:200]}")
    return tally


def closed(prompt: str, said: str, language: str) -> str:
    """The answer with the brackets closed that the prompt opened; Python has none to close."""
    if language not in BRACES:
        return said
    code = _STRINGS.sub("", prompt + said)
    return said + "\n}" * max(0, code.count("{") - code.count("}"))


def _completion(
    problem: Problem, language: str, sampling: Sampling, sample: int
) -> CompletionRequest:
    number = uuid.uuid4().hex
    return CompletionRequest(
        id=number,
        document=number,
        context=CodeContext(path="", language=language, prefix=problem.prompt, suffix=""),
        mode=CompletionMode.BLOCK,
        trigger=Trigger.BACKGROUND,
        model=sampling.model,
        adapter=sampling.adapter,
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sample,
        memory=False,
        deadline_ms=DEADLINE_MS,
    )


def _translation(
    source: Problem,
    target: Problem,
    languages: tuple[str, str],
    sampling: Sampling,
    sample: int,
) -> TranslationRequest:
    number = uuid.uuid4().hex
    names = (source.entry(languages[0]), target.entry(languages[1]))
    return TranslationRequest(
        id=number,
        document=number,
        code=f"{source.declaration.strip()}\n{source.canonical_solution.rstrip()}\n",
        source=languages[0],
        target=languages[1],
        names=(f"{names[0]} = {names[1]}",) if all(names) else (),
        trigger=Trigger.BACKGROUND,
        model=sampling.model,
        adapter=sampling.adapter,
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sample,
        deadline_ms=DEADLINE_MS,
    )
