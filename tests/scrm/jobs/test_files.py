"""The files of jobs come back as they were kept, on every engine."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from sqlalchemy.orm import Session

from scrm.errors import NotFound
from scrm.jobs import files
from scrm.jobs.models import FileKind
from scrm.jobs.service import start_job

pytestmark = pytest.mark.every_engine


def test_a_file_of_several_pieces_comes_back_whole(
    session: Session, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PIECE", 4)
    job = start_job(session, "export_contacts", created_by="cli", now=now)
    files.save(session, job, FileKind.RESULT, "客户.csv", b"0123456789", now=now)
    files.save(session, job, FileKind.WORK, "work", b"x", now=now)

    assert files.list_files(session, [job.id]) == [
        files.FileInfo(job.id, FileKind.RESULT, "客户.csv", size=10, pieces=3, created_at=now)
    ]
    info = files.find_file(session, job.id, FileKind.RESULT)
    assert json.dumps(info.size) == "10"  # goes into the audit trail: MariaDB's sum would be a Decimal
    assert files.read(session, job.id, FileKind.RESULT) == b"0123456789"


def test_a_second_file_of_a_kind_replaces_the_first(session: Session, now: datetime) -> None:
    job = start_job(session, "export_contacts", created_by="cli", now=now)
    files.save(session, job, FileKind.RESULT, "a.csv", b"old", now=now)
    files.save(session, job, FileKind.RESULT, "b.csv", b"newer", now=now)

    assert [(info.filename, info.size) for info in files.list_files(session, [job.id])] == [("b.csv", 5)]
    files.drop(session, job.id, FileKind.RESULT)
    with pytest.raises(NotFound):
        files.find_file(session, job.id, FileKind.RESULT)
