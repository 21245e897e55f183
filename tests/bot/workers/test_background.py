"""Jobs in the background: each chunk takes effect once, whoever dies; nobody does more than the person may."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.workers.background import Background, Kind, Run, ask_for
from bot.workers.loop import Loop
from bot.workers.run import Cancelled
from bot.workers.wakeup import Queue, Wakeups
from scrm.access.scope import actor_of
from scrm.accounts.models import Account, Staff
from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact
from scrm.db import Database
from scrm.errors import Conflict, Invalid
from scrm.jobs import service as jobs
from scrm.jobs.models import Job, JobState
from tests.bot.workers.platform import Clock
from tests.bot.workers.stand import CORP

CHUNKS = 5
Work = Callable[[Run], None]


def make_contacts(run: Run, after_chunk: Callable[[int], None] = lambda _n: None) -> None:
    """A contact a chunk, named by its number."""
    for number in range(run.cursor.get("next", 0), CHUNKS):
        with run.write() as session:
            session.add(Contact(name=f"客户{number}", created_at=run.now()))
            run.report({"made": 1, "names": [str(number)]})
            run.progress(session, done=number + 1, total=CHUNKS, cursor={"next": number + 1})
        after_chunk(number)


class Rig:
    """``rig.run(kind=work)`` is a process that takes up what is due and works until it rests."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, Clock()
        self.wakeups = Wakeups()
        self._made: list[Background] = []
        with database.write() as session:
            staff = Staff(userid="WangFang", name="王芳", updated_at=self.clock())
            session.add(staff)
            session.flush()
            boss = Account(name="店长", role=Role.ADMIN, reach=Reach.ALL, created_at=self.clock())
            rep = Account(
                name="王芳", role=Role.MANAGER, reach=Reach.OWN, staff_id=staff.id, created_at=self.clock()
            )
            session.add_all((boss, rep))
        self.staff_id, self.boss_id, self.rep_id = staff.id, boss.id, rep.id

    def ask(self, kind: str = "make", *, by: str | None = None, **params: Any) -> int:
        with self.database.write() as session:
            actor = actor_of(session, session.get_one(Account, by or self.boss_id))
            return ask_for(session, kind, actor, params, now=self.clock()).id

    def process(self, works: Mapping[str, Work], owner: str = "p1") -> Background:
        kinds = {name: Kind(work, "contacts.write") for name, work in works.items()}
        made = Background(self.database, self.wakeups, kinds, CORP, owner=owner, clock=self.clock)
        self._made.append(made)
        return made

    def run(self, owner: str = "p1", **works: Work) -> Background:
        made = self.process(works, owner)
        while made.tick():
            while made._busy.total():
                self.rest()
        return made

    def rest(self) -> None:
        """Wait until a job has ended."""
        self.wakeups.wait(Queue.BACKGROUND, 10)

    def job(self, job_id: int) -> Job:
        with self.database.read() as session:
            return jobs.get_job(session, job_id)

    def change(self, account_id: str, **values: Any) -> None:
        with self.database.write() as session:
            account = session.get_one(Account, account_id)
            for name, value in values.items():
                setattr(account, name, value)

    def contacts(self) -> list[str]:
        with self.database.read() as session:
            return sorted(session.scalars(select(Contact.name)))

    def close(self) -> None:
        for made in self._made:
            made.close()


ALL = [f"客户{number}" for number in range(CHUNKS)]


@pytest.fixture
def rig(database: Database) -> Iterator[Rig]:
    made = Rig(database)
    yield made
    made.close()


def test_a_job_is_done_with_its_progress_and_what_it_found(rig: Rig):
    job_id = rig.ask()
    rig.run(make=make_contacts)
    job = rig.job(job_id)
    assert (job.state, job.done, job.total, job.error) == (JobState.DONE, CHUNKS, CHUNKS, None)
    assert job.report == {"made": CHUNKS, "names": list("01234"), "names_count": CHUNKS}
    assert rig.contacts() == ALL


@pytest.mark.every_engine
def test_after_a_kill_the_next_process_goes_on_and_every_chunk_counts_once(rig: Rig):
    job_id = rig.ask()

    def die(number: int) -> None:
        if number == 2:
            raise SystemExit  # what a process does that is killed: nothing more

    rig.run(make=lambda run: make_contacts(run, die))
    assert (rig.job(job_id).state, rig.contacts()) == (JobState.RUNNING, ALL[:3])

    rig.run("p2", make=make_contacts)
    assert rig.contacts() == ALL[:3]  # the lease of the dead holds
    rig.clock.advance(jobs.LEASE.total_seconds())
    rig.run("p2", make=make_contacts)
    assert (rig.job(job_id).state, rig.contacts()) == (JobState.DONE, ALL)
    assert rig.job(job_id).report["made"] == CHUNKS


def test_an_embedded_start_takes_over_at_once_and_only_the_kinds_it_knows(rig: Rig):
    mine, others = rig.ask(), rig.ask("other")

    def die(_run: Run) -> None:
        raise SystemExit

    rig.run(make=die, other=die)
    with rig.database.write() as session:
        assert jobs.release_all(session, ["make"], now=rig.clock()) == 1
    rig.run("p2", make=make_contacts, other=make_contacts)
    assert (rig.job(mine).state, rig.job(others).state) == (JobState.DONE, JobState.RUNNING)


def test_what_a_person_cancels_stops_at_the_next_chunk_and_a_retry_goes_on(rig: Rig):
    job_id = rig.ask()
    seen: list[type[BaseException]] = []

    def cancel(number: int) -> None:
        if number == 1:
            with rig.database.write() as session:
                jobs.cancel(session, job_id, now=rig.clock())

    def work(run: Run) -> None:
        try:
            make_contacts(run, cancel)
        except BaseException as error:
            seen.append(type(error))
            raise

    rig.run(make=work)
    assert (rig.job(job_id).state, rig.contacts(), seen) == (JobState.CANCELLED, ALL[:2], [Cancelled])

    with rig.database.write() as session:
        jobs.retry(session, job_id, now=rig.clock())
    rig.run(make=make_contacts)
    assert (rig.job(job_id).state, rig.contacts()) == (JobState.DONE, ALL)
    with pytest.raises(Conflict), rig.database.write() as session:
        jobs.retry(session, job_id, now=rig.clock())


def test_who_held_the_job_too_long_changes_nothing_more(rig: Rig):
    job_id = rig.ask()

    def sleep(number: int) -> None:
        if number == 0:
            rig.clock.advance(jobs.LEASE.total_seconds())
            rig.run("p2", make=make_contacts)

    rig.run(make=lambda run: make_contacts(run, sleep))
    assert (rig.job(job_id).state, rig.contacts()) == (JobState.DONE, ALL)


def test_a_process_that_ends_gives_the_job_back_after_its_chunk(rig: Rig):
    job_id = rig.ask()
    reached, may_go = threading.Event(), threading.Event()

    def pause(number: int) -> None:
        if number == 1:
            reached.set()
            assert may_go.wait(10)

    first = rig.process({"make": lambda run: make_contacts(run, pause)})
    first.tick()
    assert reached.wait(10)
    first._around.stopping.set()
    may_go.set()
    first.close()
    assert (rig.job(job_id).state, rig.contacts()) == (JobState.PENDING, ALL[:3])
    rig.run("p2", make=make_contacts)
    assert (rig.job(job_id).state, rig.contacts()) == (JobState.DONE, ALL)


def test_a_job_sees_no_more_than_the_person_who_started_it(rig: Rig):
    with rig.database.write() as session:
        session.add(Contact(name="自己的", owner_id=rig.staff_id, created_at=rig.clock()))
        session.add(Contact(name="别人的", created_at=rig.clock()))
    seen: dict[str, int] = {}

    def count(run: Run) -> None:
        with run.read() as session:
            seen["read"] = session.scalar(select(func.count()).select_from(Contact)) or 0
        with run.write() as session:
            seen["write"] = session.scalar(select(func.count()).select_from(Contact)) or 0
            run.record(session, "contacts:counted", "job", str(run.job.id), n=seen["write"])

    rig.ask(by=rig.rep_id)
    rig.run(make=count)
    assert seen == {"read": 1, "write": 1}
    with rig.database.read() as session:
        deed = session.scalars(select(AuditEntry)).one()
    assert (deed.actor, deed.actor_name) == (f"account:{rig.rep_id}", "王芳")


@pytest.mark.parametrize(
    ("change", "word"), [({"disabled_at": Clock()()}, "停用"), ({"role": Role.READONLY}, "权限")]
)
def test_who_is_shut_out_meanwhile_has_nothing_more_done(rig: Rig, change: dict[str, Any], word: str):
    job_id = rig.ask(by=rig.rep_id)
    rig.run(make=lambda run: make_contacts(run, lambda _number: rig.change(rig.rep_id, **change)))
    job = rig.job(job_id)
    assert (job.state, rig.contacts()) == (JobState.FAILED, ALL[:1])
    assert word in str(job.error)


def test_what_a_rule_refuses_is_told_in_its_words(rig: Rig):
    def refuse(_run: Run) -> None:
        raise Invalid("file_bad", "文件打不开，请另存后重新上传")

    job_id = rig.ask()
    rig.run(make=refuse)
    assert (rig.job(job_id).state, rig.job(job_id).error) == (
        JobState.FAILED,
        "文件打不开，请另存后重新上传",
    )


def test_a_defect_is_tried_again_and_then_told_without_its_data(rig: Rig):
    tries: list[int] = []

    def stumble(run: Run) -> None:
        tries.append(run.job.id)
        raise RuntimeError("13800138000")

    job_id = rig.ask()
    for _ in range(5):
        rig.run(make=stumble)
        rig.clock.advance(60)
    job = rig.job(job_id)
    assert (job.state, len(tries)) == (JobState.FAILED, 3)
    assert "RuntimeError" in str(job.error)
    assert "13800138000" not in str(job.error)


def test_no_kind_waits_for_another_and_a_person_s_own_wait_in_line(rig: Rig):
    may_go = threading.Event()

    def wait(_run: Run) -> None:
        assert may_go.wait(10)

    first, second, other = rig.ask("slow"), rig.ask("slow"), rig.ask("quick")
    process = rig.process({"slow": wait, "quick": make_contacts})
    assert process.tick() == 2
    rig.rest()
    assert rig.job(other).state is JobState.DONE
    assert [rig.job(key).state for key in (first, second)] == [JobState.RUNNING, JobState.PENDING]
    assert process.tick() == 0
    may_go.set()
    rig.rest()
    assert process.tick() == 1
    rig.rest()
    assert rig.job(second).state is JobState.DONE


def test_a_job_that_is_asked_for_begins_without_waiting_for_the_poll(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.workers.loop.POLL_SECONDS", 60)
    begun, looked = threading.Event(), threading.Event()
    process = rig.process({"make": lambda _run: begun.set()})

    def tick() -> int:
        taken = process.tick()
        looked.set()
        return taken

    loop = Loop("test", tick, rig.wakeups, Queue.BACKGROUND)
    loop.start()
    assert looked.wait(10)
    rig.ask()
    rig.wakeups.wake()
    assert begun.wait(5)
    loop.stop()
    assert loop.join(5)
