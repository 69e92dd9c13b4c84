"""The text that Prometheus reads."""

from __future__ import annotations

import re

from glm_daemon.metrics import SECONDS, Gauges, Metrics
from glm_protocol.answers import End, FinishReason, Timings, TokenCounts

SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\\\n]+"\})? [0-9.e+-]+')
GAUGES = Gauges(waiting=1, running=2, ready=1, restarts=3, uptime_s=1.5)


def test_counts_and_format() -> None:
    metrics = Metrics()
    end = End(
        finish=FinishReason.STOP,
        model="m",
        timings_ms=Timings(first_text=20.0, total=30_000.0, queue=1.0),
        tokens=TokenCounts(prompt=10, reused=4, generated=3),
    )
    metrics.completion_ended(end)
    metrics.completion_ended(end)
    metrics.completion_failed("overloaded")
    text = metrics.render(GAUGES)
    for line in text.splitlines():
        assert line.startswith("# ") or SAMPLE.fullmatch(line), line
    assert 'glm_completions_total{finish="stop"} 2' in text
    assert 'glm_errors_total{code="overloaded"} 1' in text
    assert 'glm_tokens_total{kind="reused"} 8' in text
    assert 'glm_first_text_seconds_bucket{le="0.01"} 0' in text
    assert 'glm_first_text_seconds_bucket{le="0.025"} 2' in text
    assert f'glm_completion_seconds_bucket{{le="{SECONDS[-1]}"}} 2' in text
    assert "glm_completion_seconds_count 2" in text
    assert "glm_worker_restarts_total 3" in text
    assert text.endswith("\n")
