"""Counters and histograms in Prometheus' text format 0.0.4; numbers and enum words only.

Our own 100 lines in place of prometheus_client: that keeps one global registry and adds
process collectors, and we need five metrics. Invariant: no label comes from a request's text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from glm_protocol.answers import End

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(kw_only=True, slots=True)
class Histogram:
    """Counts of seconds by bucket."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def lines(self, name: str) -> list[str]:
        below = 0
        lines = []
        for bound, count in zip((*SECONDS, "+Inf"), self.counts, strict=True):
            below += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {below}')
        return [*lines, f"{name}_sum {self.total:.6f}", f"{name}_count {below}"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauges:
    """What is read at the moment of asking."""

    waiting: int
    running: int
    ready: int
    restarts: int
    uptime_s: float


@dataclass(kw_only=True, slots=True)
class Metrics:
    """What happened since the start of this daemon."""

    finished: Counter[str] = field(default_factory=Counter)  # by finish reason
    failed: Counter[str] = field(default_factory=Counter)  # by error code
    tokens: Counter[str] = field(default_factory=Counter)  # by kind
    first_text: Histogram = field(default_factory=Histogram)
    duration: Histogram = field(default_factory=Histogram)
    queued: Histogram = field(default_factory=Histogram)

    def completion_ended(self, end: End) -> None:
        self.finished[end.finish.value] += 1
        self.tokens["prompt"] += end.tokens.prompt
        self.tokens["reused"] += end.tokens.reused
        self.tokens["generated"] += end.tokens.generated
        if end.timings_ms.first_text:
            self.first_text.observe(end.timings_ms.first_text / 1e3)
        self.duration.observe(end.timings_ms.total / 1e3)
        self.queued.observe(end.timings_ms.queue / 1e3)

    def completion_failed(self, code: str) -> None:
        self.failed[code] += 1

    def render(self, gauges: Gauges) -> str:
        return "\n".join(
            [
                *_counter("glm_completions_total", "Completions by end.", "finish", self.finished),
                *_counter("glm_errors_total", "Failed completions by code.", "code", self.failed),
                *_counter("glm_tokens_total", "Tokens by kind.", "kind", self.tokens),
                *_histogram("glm_first_text_seconds", "Arrival to first text.", self.first_text),
                *_histogram("glm_completion_seconds", "Arrival to end.", self.duration),
                *_histogram("glm_queue_seconds", "Arrival to prefill.", self.queued),
                *_gauge("glm_requests_waiting", "Requests in the queue.", gauges.waiting),
                *_gauge("glm_requests_running", "Requests at an engine.", gauges.running),
                *_gauge("glm_engines_ready", "Loaded engines.", gauges.ready),
                *_gauge("glm_uptime_seconds", "Age of the daemon.", gauges.uptime_s),
                *_head("glm_worker_restarts_total", "Restarts of workers.", "counter"),
                f"glm_worker_restarts_total {gauges.restarts}",
                "",
            ]
        )


def _head(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _counter(name: str, text: str, label: str, values: Counter[str]) -> list[str]:
    lines = [f'{name}{{{label}="{word}"}} {count}' for word, count in sorted(values.items())]
    return [*_head(name, text, "counter"), *lines]


def _histogram(name: str, text: str, histogram: Histogram) -> list[str]:
    return [*_head(name, text, "histogram"), *histogram.lines(name)]


def _gauge(name: str, text: str, value: float) -> list[str]:
    return [*_head(name, text, "gauge"), f"{name} {value:g}"]
