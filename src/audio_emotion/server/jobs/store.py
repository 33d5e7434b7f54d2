"""The table of jobs, in SQLite."""

import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = """
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    request_id TEXT NOT NULL,
    options TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    ended REAL,
    problem TEXT,
    media_type TEXT,
    warnings TEXT,
    result BLOB
"""
OPEN = ("queued", "running")  # states of a job that has not ended; others are done and failed


@dataclass(frozen=True)
class Job:
    """A row without its result."""

    id: str
    state: str
    request_id: str
    options: dict[str, Any]
    attempts: int
    created: float  # s since 1970
    ended: float | None
    problem: dict[str, Any] | None
    media_type: str | None
    warnings: str | None


class Store:
    """Jobs in a file; every change is on disk when a method returns.

    Args:
        path: of the database, in a folder that only this service can read.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA secure_delete = ON")  # results are overwritten with zeros
        self._database.execute(f"CREATE TABLE IF NOT EXISTS jobs ({COLUMNS})")
        self._change("UPDATE jobs SET state = 'queued' WHERE state = 'running'")

    def add(self, id_: str, request_id: str, options: dict[str, Any]) -> None:
        """Add a job to the end of the queue."""
        self._change(
            "INSERT INTO jobs (id, state, request_id, options, created) "
            "VALUES (?, 'queued', ?, ?, ?)",
            *(id_, request_id, json.dumps(options), time.time()),
        )

    def get(self, id_: str) -> Job | None:
        """Return a job, if there is one of this id."""
        found = self._rows("WHERE id = ?", id_)
        return found[0] if found else None

    def open_jobs(self) -> list[Job]:
        """Return the jobs that have not ended, the oldest first."""
        return self._rows("WHERE ended IS NULL ORDER BY created, rowid")

    def begin(self, id_: str) -> None:
        """Note that a job runs, and how often it has been begun."""
        self._change("UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE id = ?", id_)

    def postpone(self, id_: str) -> None:
        """Note that a job was stopped through no fault of its own."""
        self._change(
            "UPDATE jobs SET state = 'queued', attempts = attempts - 1 "
            "WHERE id = ? AND ended IS NULL",
            id_,
        )

    def finish(self, id_: str, media_type: str, warnings: str, result: bytes) -> None:
        """Note a job's result; it is there as a whole or not at all."""
        self._change(
            "UPDATE jobs SET state = 'done', ended = ?, media_type = ?, warnings = ?, result = ? "
            "WHERE id = ?",
            *(time.time(), media_type, warnings, result, id_),
        )

    def fail(self, id_: str, problem: dict[str, Any]) -> None:
        """Note why a job has no result."""
        self._change(
            "UPDATE jobs SET state = 'failed', ended = ?, problem = ? WHERE id = ?",
            *(time.time(), json.dumps(problem), id_),
        )

    def result(self, id_: str) -> bytes:
        """Return the result of a job that is done."""
        with self._lock:
            query = "SELECT result FROM jobs WHERE id = ?"
            return bytes(self._database.execute(query, (id_,)).fetchone()["result"])

    def delete(self, id_: str) -> None:
        """Forget a job."""
        self._change("DELETE FROM jobs WHERE id = ?", id_)

    def delete_ended(self, before: float) -> None:
        """Forget jobs that ended before a time, in seconds since 1970."""
        self._change("DELETE FROM jobs WHERE ended < ?", before)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def _change(self, statement: str, *values: object) -> None:
        with self._lock:
            self._database.execute(statement, values)

    def _rows(self, condition: str, *values: object) -> list[Job]:
        names = ", ".join(Job.__dataclass_fields__)
        with self._lock:
            found = self._database.execute(f"SELECT {names} FROM jobs {condition}", values)
            rows = [dict(row) for row in found]
        for row in rows:
            row["options"] = json.loads(row["options"])
            row["problem"] = json.loads(row["problem"]) if row["problem"] else None
        return [Job(**row) for row in rows]
