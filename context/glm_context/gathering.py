"""Ranks what the workspace knows about one cursor into snippets with stable ids.

Sources: `similar` (chunks that share identifiers, BM25), `continued` (what follows places that
read like the lines before the cursor: for a memory, never for a prompt) and `file` (similar places
of the same file, far from the cursor), `import` (definitions that the file imports and the code
near the cursor names), `definition` (other definitions of such names), `recent` (places edited or
seen in other files), `change` (lines changed since the last commit), `outline` (far signatures of
the same file).
Pure ranking: no process, no editor, no tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from glm_context.excerpts import SHORT, compact, densest
from glm_context.gathered import CursorSite, Gathered, RecentPlace, Withheld
from glm_context.git_changes import ChangedLines
from glm_context.grammar_rules import CONTAINERS
from glm_context.identifiers import IDENTIFIER, TermMaker, near
from glm_context.import_paths import resolve
from glm_context.index_chunks import cut, snippet_id
from glm_context.index_store import Definition, IndexStore
from glm_context.secret_files import is_secret_file
from glm_context.secret_rules import WITHHELD, redact
from glm_context.similar_places import similar_places
from glm_context.syntax_facts import CursorFacts
from glm_protocol.completion import FOR_MEMORY, Snippet

MAX_SNIPPETS = 12
MAX_TOTAL = 12_000  # characters of all snippets
MAX_TEXT = 1_600  # of one
MAX_TERMS = 10
MAX_OWN = 3  # places of the same file
# The best of what is only alike: above most definitions (`python -m bench.retrieval` tells why).
ALIKE_SCORE = 13.0
CANDIDATES = 32  # chunks that are compared with the lines before the cursor
MAX_CONTINUED = 24_000  # characters of what follows similar places
NEARBY = 2_500  # characters around the cursor that are in every prompt anyway
ALIKE = 0.9  # Jaccard index of identifiers from which two texts are the same

_FAMILIES = {
    "javascript": "js", "javascriptreact": "js", "typescript": "js", "typescriptreact": "js",
    "vue": "js", "c": "c", "cpp": "c", "cuda-cpp": "c", "objective-c": "c", "java": "jvm",
    "kotlin": "jvm", "scala": "jvm", "groovy": "jvm", "css": "web", "html": "web",
}  # fmt: skip


@dataclass(kw_only=True)
class Shelf:
    """Collects candidates, keeps the best and counts what is withheld."""

    site: CursorSite
    snippets: list[Snippet] = field(default_factory=list)
    continued: list[Snippet] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)

    def add(
        self, path: str, language: str, text: str, source: str, score: float, *, clean: bool
    ) -> None:
        """`clean`: the text's secrets are out already (it comes from the index)."""
        if is_secret_file(path):
            self.withheld.append(Withheld(path=path, kinds=("secret-file",)))
            return
        text = whole_lines(text)
        if clean:
            if hidden := text.count(WITHHELD):
                self.withheld.append(Withheld(path=path, kinds=("indexed-secret",) * hidden))
        else:
            text, kinds = redact(text, language)
            if kinds:
                self.withheld.append(Withheld(path=path, kinds=kinds))
        if len(text.strip()) < 12:
            return
        if family(language) != family(self.site.language):
            score *= 0.3
        shelf = self.continued if source == FOR_MEMORY else self.snippets
        shelf.append(
            Snippet(
                id=snippet_id(path, text),
                path=path,
                text=text,
                language=language,
                source=source,
                score=round(score, 4),
            )
        )

    def best(self) -> Gathered:
        """By score, without near-duplicates of each other or of the text around the cursor."""
        site = self.site
        around = site.text[max(0, site.offset - NEARBY) : site.offset + NEARBY]
        seen = [frozenset(IDENTIFIER.findall(around))]
        kept: list[Snippet] = []
        room = MAX_TOTAL
        for each in sorted(self.snippets, key=lambda s: (-s.score, s.path, s.id)):
            words = frozenset(IDENTIFIER.findall(each.text))
            if len(each.text) > room or each.text in around or any(alike(words, o) for o in seen):
                continue
            kept.append(each)
            seen.append(words)
            room -= len(each.text)
            if len(kept) >= MAX_SNIPPETS:
                break
        room = MAX_CONTINUED
        for each in self.continued:
            room -= len(each.text)
            if room >= 0:
                kept.append(each)
        used = {snippet.path for snippet in kept}
        shown = [w for w in self.withheld if w.path in used or "indexed-secret" not in w.kinds]
        return Gathered(snippets=tuple(kept), withheld=tuple(dict.fromkeys(shown)))


def gather(
    site: CursorSite,
    facts: CursorFacts,
    index: IndexStore | None,
    frequent: dict[str, int],
    terms: TermMaker,
    *,
    recent: Sequence[RecentPlace] = (),
    changes: Sequence[ChangedLines] = (),
) -> Gathered:
    """The snippets for one cursor. Deterministic for the same index and arguments."""
    shelf = Shelf(site=site)
    prefix, suffix = site.text[: site.offset], site.text[site.offset :]
    names = near(prefix[-8000:], suffix[:3000])
    if index is not None:
        own = {unit.name for unit in facts.siblings} | {e.name for e in facts.enclosing}
        wanted = {name: w for name, w in names.items() if name not in own}
        add_definitions(shelf, facts, index, wanted)
        add_similar(shelf, index, frequent, terms, names)
    for age, place in enumerate(recent[:8]):
        if place.path != site.path:
            score = (5.0 + overlap(place.text, names)) / (1.0 + age / 4)
            shelf.add(place.path, place.language, place.text, "recent", score, clean=False)
    for change in changes:
        if change.path != site.path:
            score = 2.5 + overlap(change.text, names)
            shelf.add(change.path, change.language, change.text, "change", score, clean=False)
    add_own(shelf, names, frequent)
    add_outline(shelf, facts)
    return shelf.best()


def add_definitions(
    shelf: Shelf, facts: CursorFacts, index: IndexStore, names: dict[str, float]
) -> None:
    """What the code near the cursor names: from imported files first, then from anywhere."""
    site = shelf.site
    imported = resolve(facts.imports, site.path, index)
    ordered = sorted(names, key=lambda name: (-names[name], name))[:40]
    taken: set[str] = set()
    if imported:
        for found in index.definitions(ordered, paths=sorted(imported)):
            explicit = found.name in imported[found.path]
            score = 10.0 + names[found.name] + explicit
            add_definition(shelf, index, found, "import", score)
            taken.add(found.name)
    others = [name for name in ordered if name not in taken and len(name) >= 4][:24]
    by_name: dict[str, list[Definition]] = {}
    for found in index.definitions(index.rare(others, 4), limit=48):
        if found.path != site.path and found.path not in imported:
            by_name.setdefault(found.name, []).append(found)
    for name, places in by_name.items():
        if len(places) > 3:
            continue  # said everywhere: says nothing
        folder = site.path.rsplit("/", 1)[0]
        for found in places:
            score = 6.0 / len(places) + names[name] + 0.5 * found.path.startswith(f"{folder}/")
            add_definition(shelf, index, found, "definition", score)


def add_definition(
    shelf: Shelf, index: IndexStore, found: Definition, source: str, score: float
) -> None:
    """A definition as far as it is short; of a long one what can be used from outside."""
    members = []
    if found.kind in CONTAINERS and found.last_line - found.line >= SHORT:
        members = index.members(found.path, found.name)
    text = compact(found.text, members)
    if "\n" not in text.strip() and found.container:
        score -= 2.0  # one line of a class says little
    shelf.add(found.path, found.language, text, source, score, clean=True)


def add_similar(
    shelf: Shelf,
    index: IndexStore,
    frequent: dict[str, int],
    terms: TermMaker,
    names: dict[str, float],
) -> None:
    """Chunks that share the rarest of the identifiers near the cursor."""
    query = rarest(names, frequent, terms)
    hits = [hit for hit in index.search(query, CANDIDATES) if hit.path != shelf.site.path]
    for hit in hits[:MAX_SNIPPETS]:
        score = ALIKE_SCORE * (hit.rank / hits[0].rank) ** 3 if hits[0].rank else 0.0
        text = densest(hit.text, names)
        shelf.add(hit.path, hit.language, text, "similar", score, clean=True)
    before = shelf.site.text[: shelf.site.offset]
    for place in similar_places(hits, before[-4000:], index):
        score = place.likeness
        shelf.add(place.path, place.language, place.text, FOR_MEMORY, score, clean=True)


def add_own(shelf: Shelf, names: dict[str, float], frequent: dict[str, int]) -> None:
    """Other places of the same file, as it is now, that share names with the cursor's."""
    site = shelf.site
    if len(site.text) < 2 * NEARBY:
        return
    rare = {n: w / (1.0 + frequent.get(n.lower().strip("_"), 0) / 100) for n, w in names.items()}
    line = site.text.count("\n", 0, site.offset)
    low = line - site.text.count("\n", max(0, site.offset - NEARBY), site.offset)
    high = line + site.text.count("\n", site.offset, site.offset + NEARBY // 2)
    found = []
    for chunk in cut(site.text)[0]:
        if chunk.last_line < low or chunk.first_line > high:
            shared = sum(rare.get(name, 0.0) for name in set(IDENTIFIER.findall(chunk.text)))
            if shared > 0:
                found.append((shared, chunk))
    found.sort(key=lambda one: (-one[0], one[1].first_line))
    for shared, chunk in found[:MAX_OWN]:
        score = ALIKE_SCORE * shared / found[0][0]
        text = densest(chunk.text, names)
        shelf.add(site.path, site.language, text, "file", score, clean=False)


def rarest(
    names: dict[str, float], frequent: dict[str, int], terms: TermMaker, limit: int = 600
) -> list[str]:
    """Terms worth searching for: heavy near the cursor, and not in too many chunks."""
    weights: dict[str, float] = {}
    for name, weight in names.items():
        for number, term in enumerate(terms.of(name)):
            chunks = frequent.get(term, 20)
            if chunks <= limit:
                value = weight * (1.0 if number == 0 else 0.6) / (1.0 + chunks / 100)
                weights[term] = max(weights.get(term, 0.0), value)
    ordered = sorted(weights, key=lambda term: (-weights[term], term))
    return sorted(ordered[:MAX_TERMS])


def add_outline(shelf: Shelf, facts: CursorFacts) -> None:
    """Signatures of the same file that stand too far from the cursor to be in the prompt."""
    site = shelf.site
    low, high = site.offset - 2 * NEARBY, site.offset + 2 * NEARBY
    far = [u for u in facts.siblings if u.signature and (u.end < low or u.start > high)]
    text = "\n".join(unit.signature for unit in far[:40])
    if text:
        shelf.add(site.path, site.language, text, "outline", 3.0, clean=False)


def overlap(text: str, names: dict[str, float]) -> float:
    """0 … 3: how much of what is near the cursor a text names."""
    shared = sum(names.get(name, 0.0) for name in set(IDENTIFIER.findall(text)))
    return min(3.0, shared / 3.0)


def alike(a: frozenset[str], b: frozenset[str]) -> bool:
    return bool(a) and len(a & b) >= ALIKE * len(a | b)


def family(language: str) -> str:
    return _FAMILIES.get(language, language)


def whole_lines(text: str) -> str:
    """At most `MAX_TEXT` characters, ending with a whole line."""
    if len(text) <= MAX_TEXT:
        return text
    cut = text[:MAX_TEXT]
    return cut[: cut.rfind("\n")] if "\n" in cut else cut


def total(snippets: Iterable[Snippet]) -> int:
    return sum(len(snippet.text) for snippet in snippets)
