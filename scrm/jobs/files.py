"""The files of jobs, kept in pieces: no statement carries more than PIECE, whatever the size of the file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from scrm.errors import NotFound
from scrm.jobs.models import FileKind, Job, JobFile

PIECE = 1024 * 1024
KEPT = timedelta(days=30)
FETCHED = timedelta(days=7)  # so long may people fetch what came of a job


@dataclass(frozen=True)
class FileInfo:
    """A whole file, without its content."""

    job_id: int
    kind: FileKind
    filename: str
    size: int
    pieces: int
    created_at: datetime


def save(session: Session, job: Job, kind: FileKind, filename: str, content: bytes, *, now: datetime) -> None:
    """Keep a whole file in place of an earlier one of this kind."""
    drop(session, job.id, kind)
    for n, start in enumerate(range(0, max(1, len(content)), PIECE)):
        add_piece(session, job.id, kind, filename, content[start : start + PIECE], n=n, now=now)


def add_piece(
    session: Session, job_id: int, kind: FileKind, filename: str, content: bytes, *, n: int, now: datetime
) -> None:
    """Keep a piece; those of a file count from 0."""
    session.add(
        JobFile(
            job_id=job_id,
            kind=kind,
            n=n,
            filename=filename[-200:],
            content=content,
            size=len(content),
            created_at=now,
        )
    )
    session.flush()


def drop(session: Session, job_id: int, *kinds: FileKind) -> None:
    """Delete the job's files of these kinds."""
    session.execute(delete(JobFile).where(JobFile.job_id == job_id, JobFile.kind.in_(kinds)))


def list_files(session: Session, job_ids: Collection[int]) -> list[FileInfo]:
    """The files of these jobs; those that a run keeps for the next are nobody's to see."""
    size, pieces = func.sum(JobFile.size), func.count()
    first, name = func.min(JobFile.created_at), func.max(JobFile.filename)
    query = select(JobFile.job_id, JobFile.kind, name, size, pieces, first).where(
        JobFile.job_id.in_(job_ids), JobFile.kind != FileKind.WORK
    )
    rows = session.execute(query.group_by(JobFile.job_id, JobFile.kind)).all()
    found = (
        FileInfo(job_id, kind, name, int(size), count, at) for job_id, kind, name, size, count, at in rows
    )
    return sorted(found, key=lambda info: (info.job_id, info.kind))  # int: MariaDB adds up to a Decimal


def find_file(session: Session, job_id: int, kind: FileKind) -> FileInfo:
    """The file. Raises NotFound."""
    found = [info for info in list_files(session, [job_id]) if info.kind is kind]
    if not found:
        raise NotFound("job_file_not_found", "没有这个文件，或它已超过保存期")
    return found[0]


def piece(session: Session, job_id: int, kind: FileKind, n: int) -> bytes | None:
    """The content of one piece; None behind the last."""
    query = select(JobFile.content).where(JobFile.job_id == job_id, JobFile.kind == kind, JobFile.n == n)
    return session.scalar(query)


def pieces(session: Session, job_id: int, kind: FileKind) -> Iterator[bytes]:
    """The pieces in order, one in memory at a time."""
    n = 0
    while (content := piece(session, job_id, kind, n)) is not None:
        yield content
        n += 1


def read(session: Session, job_id: int, kind: FileKind) -> bytes:
    """The whole file. Raises NotFound."""
    content = list(pieces(session, job_id, kind))
    if not content:
        raise NotFound("job_file_not_found", "没有这个文件，或它已超过保存期；请重新上传")
    return b"".join(content)
