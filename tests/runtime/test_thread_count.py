"""Busy cores are left to others."""

from __future__ import annotations

from glm_runtime.thread_count import CpuUse, ThreadCount, read_cpu_use


class Clock:
    """Counters that a test moves: seconds, cores kept busy by others and by us."""

    def __init__(self) -> None:
        self.elapsed = self.others = self.own = 0.0

    def __call__(self) -> CpuUse:
        return CpuUse(elapsed=self.elapsed, all_busy=self.others + self.own, own=self.own)

    def run(self, seconds: float, *, others: float, own: float) -> None:
        self.elapsed += seconds
        self.others += seconds * others
        self.own += seconds * own


def test_own_work_does_not_count() -> None:
    clock = Clock()
    threads = ThreadCount(most=2, cores=2, read=clock)
    clock.run(1.0, others=0.0, own=2.0)
    assert threads.advise() == 2


def test_one_busy_neighbour_on_two_cores() -> None:
    clock = Clock()
    threads = ThreadCount(most=2, cores=2, read=clock)
    clock.run(1.0, others=1.0, own=1.0)
    assert threads.advise() == 1
    clock.run(1.0, others=0.2, own=1.0)
    assert threads.advise() == 2


def test_bounds() -> None:
    clock = Clock()
    threads = ThreadCount(most=4, cores=16, read=clock)
    clock.run(1.0, others=40.0, own=0.0)
    assert threads.advise() == 1
    clock.run(1.0, others=3.0, own=0.0)
    assert threads.advise() == 4
    clock.run(1.0, others=-1.0, own=0.0)  # counters of two sources disagree a little
    assert threads.advise() == 4


def test_a_short_while_keeps_the_advice() -> None:
    clock = Clock()
    threads = ThreadCount(most=2, cores=2, read=clock)
    clock.run(1.0, others=2.0, own=0.0)
    assert threads.advise() == 1
    clock.run(0.01, others=0.0, own=0.0)
    assert threads.advise() == 1


def test_the_system_answers() -> None:
    before = read_cpu_use()
    sum(i * i for i in range(300_000))
    after = read_cpu_use()
    assert after.elapsed > before.elapsed
    assert after.own > before.own
    assert after.all_busy >= before.all_busy
