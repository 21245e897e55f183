"""Wake-ups that reach other processes: merged while one is under way, never in the way of whoever calls."""

from __future__ import annotations

import threading
import time

from bot.workers.wakeup import Queue, SharedWakeups


class Told:
    """Whom the wake-ups were told to; can be made to wait, or to fail."""

    def __init__(self) -> None:
        self.queues: list[Queue] = []
        self.may_go = threading.Event()
        self.asked = threading.Semaphore(0)
        self.failures = 0

    def __call__(self, queue: Queue) -> None:
        self.asked.release()
        assert self.may_go.wait(10)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no broker")
        self.queues.append(queue)

    def wait(self, times: int) -> None:
        for _ in range(times):
            assert self.asked.acquire(timeout=10)


def test_a_thousand_wake_ups_while_one_is_told_are_one_more():
    told = Told()
    wakeups = SharedWakeups(told)
    wakeups.wake(Queue.INBOX)
    told.wait(1)
    for _ in range(1000):
        wakeups.wake(Queue.INBOX)  # returns although nobody listens
    told.may_go.set()
    told.wait(1)
    assert not told.asked.acquire(timeout=0.2)
    assert told.queues == [Queue.INBOX, Queue.INBOX]


def test_without_arguments_all_are_told():
    told = Told()
    told.may_go.set()
    SharedWakeups(told).wake()
    told.wait(len(Queue))
    assert not told.asked.acquire(timeout=0.1)
    assert sorted(told.queues) == sorted(Queue)


def test_a_broker_that_comes_back_is_told_again():
    told = Told()
    told.may_go.set()
    told.failures = 1
    wakeups = SharedWakeups(told)
    wakeups.wake(Queue.WELCOME)
    told.wait(1)
    wakeups.wake(Queue.WELCOME)
    told.wait(1)
    assert not told.asked.acquire(timeout=0.1)
    assert told.queues == [Queue.WELCOME]


def test_the_own_process_is_woken_too():
    told = Told()
    wakeups = SharedWakeups(told)
    wakeups.wake(Queue.OUTBOX)
    began = time.monotonic()
    wakeups.wait(Queue.OUTBOX, 60)
    told.may_go.set()
    assert time.monotonic() - began < 50  # it did not wait out its time
