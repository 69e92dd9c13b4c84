"""The index on disk: one SQLite file for a workspace, a cache that may be thrown away at any time.

Holds chunks of text with their secrets taken out already, their search terms in FTS5 (ranked by
BM25), symbols and files. Readers and one writer at a time may share it (WAL). Bounded in bytes.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from glm_context.identifiers import TermMaker
from glm_context.index_chunks import Chunk, Symbol
from glm_context.workspace_files import FoundFile

SCHEMA = 6
PAGE = 8192
MAX_DISK = 400 << 20  # bytes
CACHE_KIB = 8192
COMMON = 40  # chunks a term must be in to have its count kept
# These stand for their folder in an import.
FOLDER_STEMS = frozenset({"__init__", "index", "mod", "lib", "main"})

_TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE files(id INTEGER PRIMARY KEY, path TEXT UNIQUE, stem TEXT, language TEXT,
  size INTEGER, mtime_ns INTEGER, withheld INTEGER);
CREATE INDEX files_stem ON files(stem);
CREATE TABLE chunks(id INTEGER PRIMARY KEY, file INTEGER, first_line INTEGER, last_line INTEGER,
  text BLOB);
CREATE INDEX chunks_file ON chunks(file);
CREATE TABLE symbols(name TEXT, kind TEXT, container TEXT, file INTEGER, line INTEGER,
  last_line INTEGER, signature TEXT);
CREATE INDEX symbols_name ON symbols(name);
CREATE INDEX symbols_file ON symbols(file);
CREATE TABLE frequent(term TEXT PRIMARY KEY, chunks INTEGER) WITHOUT ROWID;
CREATE VIRTUAL TABLE terms USING fts5(words, content='',
  tokenize="ascii tokenchars '_'");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab('terms', 'row');
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFile:
    """What the index has of a file."""

    id: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A chunk found; a lower `rank` fits better (BM25 as FTS5 gives it)."""

    path: str
    language: str
    first_line: int
    last_line: int
    text: str
    rank: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A symbol with the text of its chunk from the symbol's line on."""

    name: str
    kind: str
    container: str
    path: str
    language: str
    line: int
    last_line: int
    text: str


class IndexStore:
    """One open connection. A file that is no index of this schema is replaced by an empty one."""

    def __init__(self, file: Path, *, write: bool) -> None:
        """Raises sqlite3.Error or OSError where there is no index to read or no place to write."""
        self._terms = TermMaker()
        if write:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch(mode=0o600)
        self._db = self._open(file, write=write)
        if write and self._schema() != SCHEMA:
            self._db.close()
            for suffix in ("", "-wal", "-shm"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
            file.touch(mode=0o600)
            self._db = self._open(file, write=True)
            self._db.executescript(_TABLES)
            self._set("schema", str(SCHEMA))
            self._db.commit()
        elif self._schema() != SCHEMA:
            self._db.close()
            raise sqlite3.DatabaseError("an index of another version")

    def _open(self, file: Path, *, write: bool) -> sqlite3.Connection:
        name = f"{file.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
        db = sqlite3.connect(name, uri=True, timeout=5.0 if write else 0.05, isolation_level=None,
                             check_same_thread=False)  # fmt: skip
        with contextlib.suppress(sqlite3.DatabaseError):  # not a database: found by its schema
            db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            db.execute("PRAGMA temp_store=MEMORY")
            if write:
                db.execute(f"PRAGMA page_size={PAGE}")
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=OFF")  # a cache: a torn one is built again
                db.execute(f"PRAGMA max_page_count={MAX_DISK // PAGE}")
                db.execute("PRAGMA journal_size_limit=16777216")
        return db

    def close(self) -> None:
        self._db.close()

    def _schema(self) -> int:
        try:
            row = self._db.execute("SELECT value FROM meta WHERE key='schema'").fetchone()
            return int(row[0]) if row else 0
        except (sqlite3.DatabaseError, ValueError):
            return 0

    def _set(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, value))

    # Writing

    def begin(self) -> None:
        self._db.execute("BEGIN")

    def commit(self) -> None:
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def known(self) -> dict[str, KnownFile]:
        """Every file by its path."""
        rows = self._db.execute("SELECT path, id, size, mtime_ns FROM files")
        return {p: KnownFile(id=i, size=s, mtime_ns=m) for p, i, s, m in rows}

    def put(
        self,
        found: FoundFile,
        chunks: Sequence[Chunk],
        symbols: Iterable[Symbol],
        *,
        withheld: int = 0,
    ) -> None:
        """Take a file in, in place of what there was of it."""
        self.remove(found.path)
        pure = PurePosixPath(found.path)
        stem = pure.parent.name if pure.stem in FOLDER_STEMS else pure.stem
        cursor = self._db.execute(
            "INSERT INTO files(path, stem, language, size, mtime_ns, withheld) VALUES(?,?,?,?,?,?)",
            (found.path, stem, found.language, found.size, found.mtime_ns, withheld),
        )
        file = cursor.lastrowid
        for chunk in chunks:
            row = self._db.execute(
                "INSERT INTO chunks(file, first_line, last_line, text) VALUES(?,?,?,?)",
                (file, chunk.first_line, chunk.last_line, zlib.compress(chunk.text.encode(), 1)),
            ).lastrowid
            words = self._words(chunk.text, found.path)
            self._db.execute("INSERT INTO terms(rowid, words) VALUES(?,?)", (row, words))
        self._db.executemany(
            "INSERT INTO symbols VALUES(?,?,?,?,?,?,?)",
            [
                (s.name, s.kind, s.container, file, s.line, s.last_line, s.signature)
                for s in symbols
            ],
        )

    def remove(self, path: str) -> None:
        """Forget a file."""
        row = self._db.execute("SELECT id FROM files WHERE path=?", (path,)).fetchone()
        if row is None:
            return
        for chunk, text in self._db.execute(
            "SELECT id, text FROM chunks WHERE file=?", row
        ).fetchall():
            # FTS5 without content is told what to forget.
            words = self._words(zlib.decompress(text).decode(), path)
            self._db.execute(
                "INSERT INTO terms(terms, rowid, words) VALUES('delete', ?, ?)", (chunk, words)
            )
        self._db.execute("DELETE FROM chunks WHERE file=?", row)
        self._db.execute("DELETE FROM symbols WHERE file=?", row)
        self._db.execute("DELETE FROM files WHERE id=?", row)

    def _words(self, text: str, path: str) -> str:
        terms = self._terms.of_text(text)
        terms.update(self._terms.of_text(PurePosixPath(path).stem))
        return " ".join(sorted(terms))

    def finish(self) -> None:
        """Count frequent terms and mark the index as whole."""
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM frequent")
        self._db.execute(
            "INSERT INTO frequent SELECT term, doc FROM vocabulary WHERE doc >= ?", (COMMON,)
        )
        self._set("whole", "1")
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    # Reading

    @property
    def whole(self) -> bool:
        """Whether a build came to its end since the index was made."""
        row = self._db.execute("SELECT value FROM meta WHERE key='whole'").fetchone()
        return row is not None

    def counts(self) -> tuple[int, int, int, int]:
        """Files, chunks, symbols, secrets withheld."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM chunks), "
            "(SELECT count(*) FROM symbols), (SELECT coalesce(sum(withheld), 0) FROM files)"
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2]), int(row[3])

    def frequent(self) -> dict[str, int]:
        """Terms that many chunks have, with the count."""
        return dict(self._db.execute("SELECT term, chunks FROM frequent"))

    def search(self, terms: Sequence[str], limit: int) -> list[Hit]:
        """The chunks that fit any of the terms best. Terms as `TermMaker` makes them."""
        if not terms:
            return []
        query = " OR ".join(f'"{term}"' for term in terms)
        ranked = self._db.execute(
            "SELECT rowid, rank FROM terms WHERE terms MATCH ? ORDER BY rank LIMIT ?",
            (query, limit),
        ).fetchall()
        hits = []
        for rowid, rank in ranked:
            row = self._db.execute(
                "SELECT path, language, first_line, last_line, text FROM chunks "
                "JOIN files ON files.id = chunks.file WHERE chunks.id=?",
                (rowid,),
            ).fetchone()
            if row is not None:
                path, language, first, last, text = row
                hits.append(
                    Hit(
                        path=path,
                        language=language,
                        first_line=first,
                        last_line=last,
                        text=zlib.decompress(text).decode(),
                        rank=rank,
                    )
                )
        return hits

    def text_after(self, path: str, line: int) -> str:
        """The chunk of a file that follows this line; "" at its end."""
        row = self._db.execute(
            "SELECT text FROM chunks JOIN files ON files.id = chunks.file "
            "WHERE path=? AND first_line > ? ORDER BY first_line LIMIT 1",
            (path, line),
        ).fetchone()
        return "" if row is None else zlib.decompress(row[0]).decode()

    def files_with_stem(self, stem: str) -> list[str]:
        """Paths of the files with this name (without extension), at most 64."""
        rows = self._db.execute("SELECT path FROM files WHERE stem=? LIMIT 64", (stem,))
        return [path for (path,) in rows]

    def definitions(
        self, names: Sequence[str], *, paths: Sequence[str] = (), limit: int = 24
    ) -> list[Definition]:
        """Symbols of these names, only of `paths` where any are given."""
        if not names:
            return []
        marks = ",".join("?" * len(names))
        where, given = f"name IN ({marks})", list(names)
        if paths:
            where += f" AND path IN ({','.join('?' * len(paths))})"
            given += paths
        rows = self._db.execute(
            "SELECT name, kind, container, path, language, line, symbols.last_line, "
            "chunks.first_line, chunks.text FROM symbols "
            "JOIN files ON files.id = symbols.file "
            "JOIN chunks ON chunks.file = files.id "
            "AND line BETWEEN first_line AND chunks.last_line "
            f"WHERE {where} LIMIT ?",
            (*given, limit),
        )
        found = []
        for name, kind, container, path, language, line, last, first, text in rows:
            lines = zlib.decompress(text).decode().split("\n")
            found.append(
                Definition(
                    name=name,
                    kind=kind,
                    container=container,
                    path=path,
                    language=language,
                    line=line,
                    last_line=last,
                    text="\n".join(lines[line - first : last - first + 1]),
                )
            )
        return found

    def rare(self, names: Sequence[str], most: int) -> list[str]:
        """Those of the names that have a definition, and no more than `most`."""
        if not names:
            return []
        marks = ",".join("?" * len(names))
        rows = self._db.execute(
            f"SELECT name FROM symbols WHERE name IN ({marks}) "
            "GROUP BY name HAVING count(*) <= ? ORDER BY name",
            (*names, most),
        )
        return [name for (name,) in rows]

    def members(self, path: str, container: str, limit: int = 16) -> list[str]:
        """Signatures of the members of a class and its like, in the file's order."""
        rows = self._db.execute(
            "SELECT signature FROM symbols JOIN files ON files.id = symbols.file "
            "WHERE path=? AND container=? ORDER BY line LIMIT ?",
            (path, container, limit),
        )
        return [signature for (signature,) in rows if signature]
