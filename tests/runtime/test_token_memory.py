"""TokenMemory against a count by hand, and the mixing of what it says."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from glm_runtime.memory_mix import SHAPE, MemoryWeights, bucket, gather, mix
from glm_runtime.token_memory import LONGEST, MOST_LOOKED_AT, Followers, TokenMemory

TOKENS = (1, 2, 3, 700, 65534, 0)
Documents = dict[str, list[int]]


def counted(documents: Documents, history: list[int], besides: str = "") -> Counter[int]:
    found: Counter[int] = Counter()
    for name, tokens in documents.items():
        if name != besides:
            for at in range(len(history), len(tokens)):
                if tokens[at - len(history) : at] == history:
                    found[tokens[at]] += 1
    return found


def as_counter(followers: Followers | None) -> Counter[int]:
    if followers is None:
        return Counter()
    return Counter(dict(zip(followers.tokens.tolist(), followers.counts.tolist(), strict=True)))


def test_counts_are_exact_while_documents_come_change_and_go() -> None:
    chance = random.Random(1)
    memory, documents = TokenMemory(), Documents()
    for number in range(60):
        name = f"d{chance.randrange(20)}"
        if number % 7 == 6:
            memory.forget(name)
            documents.pop(name, None)
        else:
            documents[name] = chance.choices(TOKENS, k=chance.randrange(1, 30))
            memory.add([(name, documents[name])])
        assert memory.documents == len(documents)
        assert memory.tokens == sum(map(len, documents.values()))
        history = chance.choices(TOKENS, k=LONGEST)
        found = memory.lookup(history, besides="d3")
        for length in range(1, LONGEST + 1):
            wanted = counted(documents, history[-length:], "d3")
            assert as_counter(found[length - 1]) == wanted


def test_a_history_goes_over_no_document_s_edge() -> None:
    memory = TokenMemory()
    memory.add([("a", [1, 2]), ("b", [3, 4])])
    assert memory.lookup([1, 2])[0] is None
    assert as_counter(memory.lookup([3])[0]) == Counter({4: 1})


def test_the_oldest_make_room() -> None:
    memory = TokenMemory(limit=100)
    for number in range(10):
        memory.add([(f"d{number}", [number + 1] * 30)])
    assert (memory.documents, memory.tokens) == (3, 90)
    assert "d0" not in memory
    assert memory.lookup([1])[0] is None
    assert memory.lookup([10])[0] is not None


def test_a_document_longer_than_all_room_is_cut() -> None:
    memory = TokenMemory(limit=50)
    memory.add([("long", list(range(1, 200)))])
    assert memory.tokens == 50


def test_common_histories_are_sampled() -> None:
    memory = TokenMemory()
    memory.add([("a", [5] * (4 * MOST_LOOKED_AT))])
    followers = memory.lookup([5])[0]
    assert followers is not None
    assert followers.tokens.tolist() == [5]
    assert followers.total <= MOST_LOOKED_AT


def weights(share: float) -> MemoryWeights:
    return MemoryWeights.from_array(np.full(SHAPE, share))


def followers(**counts: int) -> Followers:
    tokens = sorted(int(name[1:]) for name in counts)
    return Followers(
        tokens=np.asarray(tokens), counts=np.asarray([counts[f"t{token}"] for token in tokens])
    )


def test_mixing_is_a_distribution_and_longer_histories_speak_last() -> None:
    model_V = torch.full((4,), 0.25)
    seen: list[Followers | None] = [followers(t0=3), followers(t1=1, t2=1)]
    mixed_V = mix(model_V, gather(weights(0.5), [seen, [], []]))
    assert float(mixed_V.sum()) == pytest.approx(1.0)
    # ((model + t0) / 2 + (t1 + t2) / 2) / 2
    assert mixed_V.tolist() == pytest.approx([0.3125, 0.3125, 0.3125, 0.0625])
    assert model_V.tolist() == [0.25] * 4


def test_of_equal_histories_the_nearer_source_speaks_last() -> None:
    model_V = torch.full((3,), 1 / 3)
    far, near = [followers(t0=3)], [followers(t1=3)]
    mixed_V = mix(model_V, gather(weights(0.5), [far, [], near]))
    assert mixed_V.argmax() == 1
    assert mix(model_V, gather(weights(0.5), [near, [], far])).argmax() == 0


def test_no_evidence_leaves_the_model_its_say() -> None:
    model_V = torch.tensor([0.1, 0.9])
    assert mix(model_V, gather(weights(0.9), [[None], [], [None]])).tolist() == model_V.tolist()


def test_buckets_tell_torn_from_unanimous_and_rare_from_frequent() -> None:
    assert bucket(followers(t1=1)) < bucket(followers(t1=9))
    assert bucket(followers(t1=5, t2=5))[1] < bucket(followers(t1=10))[1]


def test_weights_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shares"):
        weights(1.0)
    path = tmp_path / "memory.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="no memory weights"):
        MemoryWeights.read(path)


def test_a_continuation_is_read_where_the_longest_history_stands() -> None:
    memory = TokenMemory()
    memory.add([("a", [1, 2, 3, 4, 50, 51]), ("b", [9, 2, 3, 4, 60, 61, 62])])
    memory.add([("c", [7, 3, 4, 70])])
    assert memory.continuation([1, 2, 3, 4], 2) == [50, 51]
    assert memory.continuation([9, 2, 3, 4], 9) == [60, 61, 62]
    assert memory.continuation([8, 7, 3, 4], 9) == [70]
    assert memory.continuation([5, 3, 4], 9) == [], "two tokens that agree are too few"
    assert memory.continuation([1, 2, 3, 4], 9, besides="a")[:1] == [60]
    memory.forget("b")
    assert memory.continuation([9, 2, 3, 4], 9) == [50, 51]


def test_a_continuation_takes_the_most_frequent_token() -> None:
    memory = TokenMemory()
    memory.add([(name, [1, 2, 3, token, 8]) for name, token in (("a", 5), ("b", 6), ("c", 5))])
    assert memory.continuation([1, 2, 3], 9) == [5, 8]


def test_what_is_remembered_of_questions_is_never_old_and_bounded() -> None:
    memory = TokenMemory()
    memory.add([("a", [1, 2, 3]), ("b", [1, 2, 4])])
    assert as_counter(memory.lookup([1, 2])[1]) == Counter({3: 1, 4: 1})
    assert as_counter(memory.lookup([1, 2], besides="a")[1]) == Counter({4: 1})
    memory.forget("b")
    assert as_counter(memory.lookup([1, 2])[1]) == Counter({3: 1})
    memory.add([("c", [1, 2, 5])])
    assert as_counter(memory.lookup([1, 2])[1]) == Counter({3: 1, 5: 1})
    memory.lookup([1, 2]).clear()
    assert memory.lookup([1, 2])[1] is not None, "an answer is the asker's own"
    for number in range(1000):
        memory.lookup([number])
    assert len(memory._known) <= 64
