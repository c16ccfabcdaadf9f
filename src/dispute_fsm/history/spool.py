"""Where closed disputes wait: on disk, in a temporary database that nobody else sees and that is gone with its reader.

A history may go on with a dispute after it closed (a refused command, an annulment), so nothing may be forgotten before
its end; and memory is to be bounded by the disputes that are open. So a dispute that closed is put away as its lines.
"""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE disputes (dispute_id TEXT UNIQUE NOT NULL, line INTEGER PRIMARY KEY, events BLOB, result TEXT NOT NULL);
    CREATE TABLE policies (digest TEXT PRIMARY KEY, record BLOB NOT NULL);
"""


class Spool:
    """Keeps what is not needed at hand. Raises `OSError` where there is no room on disk."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)  # an empty name: a file of SQLite's own that vanishes with it
        self._base.executescript(_TABLES)
        self._base.execute("BEGIN")  # all is one transaction that never ends: nothing has to outlive this object

    def close(self) -> None:
        """Let go of everything."""
        self._base.close()

    def put(self, dispute_id: str, line: int, events: bytes | None, result: str) -> None:
        """Put a dispute away: the line on which it begins, all its lines (None: it is broken), and what came of it so far."""
        with _no_room():
            self._base.execute("INSERT INTO disputes VALUES (?, ?, ?, ?)", (dispute_id, line, events, result))

    def take(self, dispute_id: str) -> tuple[int, bytes | None] | None:
        """Take a dispute back: the line on which it begins, and all its lines (None: it is broken, and stays); None: it is not here."""
        found: tuple[int, bytes | None] | None = self._base.execute(
            "SELECT line, events FROM disputes WHERE dispute_id = ?", (dispute_id,)
        ).fetchone()
        if found is not None and found[1] is not None:
            self._base.execute("DELETE FROM disputes WHERE dispute_id = ?", (dispute_id,))
        return found

    def results(self) -> Iterator[str]:
        """Go through what came of each dispute, in the order in which they begin."""
        with closing(self._base.execute("SELECT result FROM disputes ORDER BY line")) as found:
            for (result,) in found:
                yield result

    def put_policy(self, digest: str, record: bytes) -> None:
        """Keep a policy's line by digest; the same policy again changes nothing."""
        with _no_room():
            self._base.execute("INSERT OR IGNORE INTO policies VALUES (?, ?)", (digest, record))

    def policy(self, digest: str) -> bytes | None:
        """Return a policy's line; None where it is not here."""
        found = self._base.execute("SELECT record FROM policies WHERE digest = ?", (digest,)).fetchone()
        return None if found is None else found[0]


@contextmanager
def _no_room() -> Generator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(f"cannot put disputes away in a temporary file: {error}") from error
