import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from bot.wechat.errors import NotSent, OutcomeUnknown, QuotaSpent, WeChatError, error_for
from bot.workers.limits import Admission, ApiState, Circuit, Gate, Policy, Reason

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
GET = "externalcontact/get"
MARK = "externalcontact/mark_tag"
WELCOME = "externalcontact/send_welcome_msg"
BUSY = error_for(45033, "concurrency")
QUOTA = error_for(45009, "freq out of limit")
LOST = OutcomeUnknown(errmsg="read timeout")


class World:
    """A gate with a clock of its own; its windows follow the wall clock."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.elapsed = 0.0
        self.gate = Gate(policy, clock=lambda: self.elapsed, jitter=lambda low, high: high)

    def admit(self, api: str = GET, priority: int = 5) -> Admission:
        return self.gate.admit(api, priority, NOW)

    def call(self, outcome: WeChatError | None = None, api: str = GET, priority: int = 5) -> Reason:
        """One call from admission to outcome; gives the reason it had to wait, NONE when it was made."""
        admission = self.admit(api, priority)
        if admission.granted:
            self.gate.done(api, outcome)
        return admission.reason

    def state(self, api: str = GET) -> ApiState:
        return next(state for state in self.gate.snapshot() if state.api == api)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def frozen() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def test_60_percent_of_the_published_minute_is_used_and_welcomes_keep_a_fifth() -> None:
    world = World(Policy(per_minute=100))

    ordinary = [world.call() for _ in range(60)]
    first = [world.call(priority=0) for _ in range(20)]

    assert ordinary.count(Reason.NONE) == 48
    assert first.count(Reason.NONE) == 12
    assert set(ordinary[48:]) == {Reason.QUOTA}


def test_a_window_slides(frozen: time_machine.Traveller) -> None:
    """Half a period later half of the last period's calls still count."""
    world = World(Policy(per_minute=100, reserved=0.0))
    frozen.move_to(NOW.replace(second=0, microsecond=0))
    for _ in range(60):
        world.call()
    frozen.shift(90)

    assert [world.call() for _ in range(31)].count(Reason.NONE) == 30


def test_drained_api_does_not_touch_another_one() -> None:
    world = World(Policy(per_minute=100))
    for _ in range(60):
        world.call()

    assert world.call(api=MARK) is Reason.NONE


def test_room_shared_by_all_apis_keeps_a_fifth_for_welcomes() -> None:
    world = World(Policy(all_per_minute=100))

    ordinary = [world.call(api=f"a/b{number}") for number in range(60)]

    assert ordinary.count(Reason.NONE) == 48
    assert world.call(api=WELCOME, priority=0) is Reason.NONE


def test_hour_limit_holds_although_minutes_would_allow(frozen: time_machine.Traveller) -> None:
    world = World(Policy(per_minute=100, per_hour=200))
    made = 0
    for minute in range(5):
        frozen.move_to(NOW + timedelta(minutes=minute * 2))
        made += sum(world.call() is Reason.NONE for _ in range(60))

    assert made == 96  # 80 % of 60 % of 200, not 5 × 48


def test_quota_refusal_says_when_to_ask_again(frozen: time_machine.Traveller) -> None:
    world = World(Policy(per_minute=100))
    for _ in range(48):
        world.call()

    refused = world.admit()
    frozen.shift(120)
    later = world.admit()

    assert refused.reason is Reason.QUOTA
    assert refused.retry_at is not None
    assert NOW < refused.retry_at <= NOW + timedelta(seconds=5)
    assert later.granted


def test_api_with_a_limit_of_its_own_is_kept_to_it(world: World) -> None:
    made = [world.call(api="externalcontact/add_moment_task") for _ in range(10)]

    assert made.count(Reason.NONE) == 4  # 10 a minute, 60 %, less the reserved fifth


def test_45009_pauses_the_api_for_a_minute_without_touching_others(world: World) -> None:
    world.call(QUOTA)

    during = world.admit()
    other = world.call(api=MARK)
    world.elapsed += 60
    after = world.call()

    assert (during.granted, during.reason) == (False, Reason.PAUSED)
    assert during.retry_at == NOW + timedelta(seconds=60)
    assert (other, after) == (Reason.NONE, Reason.NONE)


def test_after_a_pause_few_calls_go_at_a_time_so_that_few_are_refused(world: World) -> None:
    world.call(QUOTA)
    world.elapsed += 60

    granted = sum(world.admit().granted for _ in range(32))
    world.elapsed += 600
    later = sum(world.admit().granted for _ in range(32))

    assert (granted, granted + later) == (4, 32)


def test_45009_again_at_once_pauses_for_an_hour(world: World) -> None:
    world.call(QUOTA)
    world.elapsed += 60
    world.call(QUOTA)

    assert world.admit().retry_at == NOW + timedelta(hours=1)


def test_45009_after_successes_is_a_minute_again(world: World) -> None:
    world.call(QUOTA)
    world.elapsed += 60
    world.call()
    world.call(QUOTA)

    assert world.admit().retry_at == NOW + timedelta(seconds=60)


def test_calls_under_way_when_the_pause_began_do_not_make_it_an_hour(world: World) -> None:
    for _ in range(5):
        assert world.admit().granted
    for _ in range(5):
        world.gate.done(GET, QUOTA)

    assert world.admit().retry_at == NOW + timedelta(seconds=60)


def test_longer_wait_asked_for_by_the_error_is_kept(world: World) -> None:
    error = QuotaSpent(45009, "")
    error.after = timedelta(seconds=90)
    world.call(error)

    assert world.admit().retry_at == NOW + timedelta(seconds=90)


def test_write_apis_run_5_at_a_time_and_others_more(world: World) -> None:
    writes = [world.admit(MARK) for _ in range(6)]
    reads = [world.admit(GET) for _ in range(6)]

    assert [one.granted for one in writes] == [True] * 5 + [False]
    assert writes[5].reason is Reason.CONCURRENCY
    assert writes[5].retry_at == NOW + timedelta(seconds=0.5)
    assert all(one.granted for one in reads)
    world.gate.done(MARK, None)
    assert world.admit(MARK).granted


def test_45033_halves_the_cap_once_per_burst_and_quiet_gives_it_back(world: World) -> None:
    for _ in range(5):
        world.admit(MARK)
    for _ in range(5):
        world.gate.done(MARK, BUSY)
    lowered = world.state(MARK).concurrency

    world.elapsed += 2
    world.call(BUSY, api=MARK)
    lowest = world.state(MARK).concurrency
    world.elapsed += 10
    world.call(api=MARK)
    growing = world.state(MARK).concurrency
    world.elapsed += 1000
    world.call(api=MARK)

    assert (lowered, lowest, growing, world.state(MARK).concurrency) == (2, 1, 2, 5)


def test_circuit_opens_after_failures_in_a_row_and_one_probe_closes_it(world: World) -> None:
    for _ in range(5):
        assert world.call(LOST) is Reason.NONE
    opened = world.state().circuit
    refused = world.admit()

    world.elapsed += 5
    probe = world.admit()
    second = world.admit()
    world.gate.done(GET, None)

    assert (opened, refused.reason) == (Circuit.OPEN, Reason.CIRCUIT_OPEN)
    assert refused.retry_at == NOW + timedelta(seconds=5)
    assert (probe.granted, second.granted) == (True, False)
    assert world.state().circuit is Circuit.CLOSED
    assert world.admit().granted


def test_failed_probe_opens_the_circuit_again(world: World) -> None:
    for _ in range(5):
        world.call(LOST)
    world.elapsed += 5
    world.call(NotSent(errmsg="refused"))
    again = world.call()
    world.elapsed += 5

    assert again is Reason.CIRCUIT_OPEN
    assert world.call() is Reason.NONE


def test_answers_in_between_keep_the_circuit_closed(world: World) -> None:
    for _ in range(20):
        world.call(LOST)
        world.call(error_for(84061, "not friend"))  # a refusal proves that the platform is there

    assert world.state().circuit is Circuit.CLOSED


def test_failures_far_apart_do_not_open_the_circuit(world: World) -> None:
    for _ in range(20):
        world.call(LOST)
        world.elapsed += 10

    assert world.state().circuit is Circuit.CLOSED


def test_welcome_may_probe_an_open_circuit_once_per_second(world: World) -> None:
    for _ in range(5):
        world.call(LOST, api=WELCOME, priority=0)

    probes = []
    for _ in range(40):  # 4 seconds in steps of 100 ms: the circuit stays open all the time
        probes.append(world.call(LOST, api=WELCOME, priority=0) is Reason.NONE)
        world.elapsed += 0.1
    ordinary = world.admit(WELCOME, 5)
    refused = world.admit(WELCOME, 0)

    assert sum(probes) == 3
    assert not ordinary.granted
    assert refused.granted or (refused.retry_at or NOW) <= NOW + timedelta(seconds=1)


def test_ordinary_calls_wait_for_the_open_circuit_to_the_end(world: World) -> None:
    for _ in range(5):
        world.call(LOST)

    waited = []
    for _ in range(49):
        world.elapsed += 0.1
        waited.append(world.call(LOST))
    world.elapsed += 0.2

    assert set(waited) == {Reason.CIRCUIT_OPEN}
    assert world.call() is Reason.NONE


def test_probe_that_is_given_back_or_lost_lets_another_one_go(world: World) -> None:
    for _ in range(5):
        world.call(LOST)
    world.elapsed += 5

    given_back = world.admit()
    world.gate.release(GET)
    lost = world.admit()
    blocked = world.admit()
    world.elapsed += 31

    assert (given_back.granted, lost.granted, blocked.granted) == (True, True, False)
    assert world.admit().granted


def test_probe_refused_by_the_quota_does_not_block_the_circuit(frozen: time_machine.Traveller) -> None:
    world = World(Policy(per_minute=100))
    for _ in range(43):
        world.call()
    for _ in range(5):
        world.call(LOST)
    world.elapsed += 5
    quota = world.call()
    frozen.shift(120)

    assert quota is Reason.QUOTA
    assert world.call() is Reason.NONE


def test_snapshot_tells_what_is_degraded_and_why(world: World) -> None:
    world.call()
    world.call(QUOTA, api=MARK)
    world.admit(MARK)

    healthy, paused = world.state(GET), world.state(MARK)

    assert (healthy.degraded, healthy.admitted, healthy.in_flight) == (False, 1, 0)
    assert (paused.degraded, paused.paused_for) == (True, 60)
    assert paused.refused == {Reason.PAUSED: 1}


def test_threads_never_pass_more_than_cap_and_room() -> None:
    world = World(Policy(per_minute=1000, concurrency=8))
    lock, running, most, made = threading.Lock(), 0, 0, 0

    def work(_: int) -> None:
        nonlocal running, most, made
        if not world.admit().granted:
            return
        with lock:
            running, made = running + 1, made + 1
            most = max(most, running)
        with lock:
            running -= 1
        world.gate.done(GET, None)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(3000)))

    assert most <= 8
    assert made <= 480
    assert world.state().in_flight == 0
