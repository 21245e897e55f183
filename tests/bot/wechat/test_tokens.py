import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.wechat.errors import CredentialsRefused, NotSent, TokenInvalid, WeChatError
from bot.wechat.tokens import FAILURE_KEPT, Fetched, MemoryBackend, TokenStore, token_key


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Counts fetches and gives T1, T2, …; raises what is put into `errors` first."""

    def __init__(self, *, lifetime: float = 7200, takes: float = 0.0) -> None:
        self.fetches = 0
        self.lifetime = lifetime
        self.takes = takes
        self.errors: list[Exception] = []
        self._lock = threading.Lock()

    def __call__(self) -> Fetched:
        with self._lock:
            self.fetches += 1
            number = self.fetches
        time.sleep(self.takes)
        if self.errors:
            raise self.errors.pop(0)
        return Fetched(f"T{number}", self.lifetime)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> TokenStore:
    return TokenStore(clock=clock)


def _together(count: int, work: Callable[[], object]) -> list[object]:
    barrier = threading.Barrier(count)

    def run() -> object:
        barrier.wait()
        try:
            return work()
        except WeChatError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(count)]]


def test_50_cold_threads_fetch_once(store: TokenStore) -> None:
    source = Source(takes=0.05)

    grants = _together(50, lambda: store.get("k", source).value)

    assert grants == ["T1"] * 50
    assert source.fetches == 1


def test_50_threads_with_the_same_failed_token_fetch_once(store: TokenStore) -> None:
    source = Source(takes=0.05)
    first = store.get("k", source).value

    grants = _together(50, lambda: store.get("k", source, failed=first).value)

    assert grants == ["T2"] * 50
    assert source.fetches == 2


def test_an_older_failed_token_does_not_replace_the_current_one(store: TokenStore) -> None:
    source = Source()
    old = store.get("k", source).value
    store.get("k", source, failed=old)

    late = store.get("k", source, failed=old)

    assert (late.value, late.fetched, source.fetches) == ("T2", False, 2)


def test_refreshes_300_seconds_before_the_end(store: TokenStore, clock: Clock) -> None:
    source = Source()
    store.get("k", source)

    clock.now += 7200 - 301
    before = store.get("k", source).value
    clock.now += 2
    after = store.get("k", source).value

    assert (before, after) == ("T1", "T2")


def test_short_lived_token_is_used_for_at_least_half_of_its_life(store: TokenStore, clock: Clock) -> None:
    source = Source(lifetime=100)
    store.get("k", source)

    clock.now += 49
    first_half = store.get("k", source).value
    clock.now += 2
    second_half = store.get("k", source).value

    assert (first_half, second_half) == ("T1", "T2")


def test_others_use_the_old_token_while_one_replaces_it_early(clock: Clock) -> None:
    store = TokenStore(clock=clock)
    source = Source()
    store.get("k", source)
    clock.now += 7000
    entered, leave = threading.Event(), threading.Event()

    def slow() -> Fetched:
        entered.set()
        leave.wait(5)
        return Fetched("T2", 7200)

    with ThreadPoolExecutor(1) as pool:
        replacing = pool.submit(store.get, "k", slow)
        entered.wait(5)
        meanwhile = store.get("k", source).value
        leave.set()
        replaced = replacing.result().value

    assert (meanwhile, replaced, source.fetches) == ("T1", "T2", 1)


def test_gettoken_down_near_the_end_keeps_the_old_token_in_use(store: TokenStore, clock: Clock) -> None:
    source = Source()
    store.get("k", source)
    clock.now += 7000
    source.errors = [NotSent(errmsg="down")]

    used = [store.get("k", source).value for _ in range(10)]
    clock.now += FAILURE_KEPT + 0.1
    later = store.get("k", source).value

    assert (used, later, source.fetches) == (["T1"] * 10, "T3", 3)


def test_failure_answers_50_threads_with_one_fetch(store: TokenStore) -> None:
    source = Source(takes=0.02)
    source.errors = [CredentialsRefused(40001, "invalid credential", api="gettoken")] * 50

    outcomes = _together(50, lambda: store.get("k", source))

    assert {type(outcome) for outcome in outcomes} == {CredentialsRefused}
    assert len({id(outcome) for outcome in outcomes}) == 50  # own exception objects, own tracebacks
    assert source.fetches == 1


def test_failure_is_forgotten_after_seconds(store: TokenStore, clock: Clock) -> None:
    source = Source()
    source.errors = [NotSent(errmsg="down")]
    with pytest.raises(NotSent):
        store.get("k", source)

    clock.now += FAILURE_KEPT + 0.1

    assert store.get("k", source).value == "T2"


def test_refused_credentials_are_tried_less_and_less_often(store: TokenStore, clock: Clock) -> None:
    source = Source()
    source.errors = [CredentialsRefused(40001, "invalid credential")] * 1000

    for _ in range(600):  # ten minutes, a call every second
        with pytest.raises(CredentialsRefused):
            store.get("k", source)
        clock.now += 1

    assert source.fetches <= 15  # 3, 6, 12, 24, 48, 60, 60 … seconds apart


def test_fresh_tokens_refused_again_and_again_stop_the_fetching(store: TokenStore, clock: Clock) -> None:
    source = Source()
    token = store.get("k", source).value
    for _ in range(3):
        token = store.get("k", source, failed=token).value
        store.rejected("k", TokenInvalid(42001, "expired"))

    with pytest.raises(TokenInvalid):
        store.get("k", source, failed=token)
    stopped_at = source.fetches
    clock.now += FAILURE_KEPT + 0.1
    store.get("k", source, failed=token)

    assert (stopped_at, source.fetches) == (4, 5)


def test_accepted_token_ends_the_count_of_rejections(store: TokenStore) -> None:
    source = Source()
    token = store.get("k", source).value
    for _ in range(10):
        token = store.get("k", source, failed=token).value
        store.rejected("k", TokenInvalid(42001, "expired"))
        store.accepted("k")

    assert source.fetches == 11


def test_keys_are_told_apart_and_show_nothing_of_the_secret() -> None:
    secret = "abcdefghijklmnopqrstuvwxyz0123456789"
    keys = {
        token_key("ww1", secret),
        token_key("ww2", secret),
        token_key("ww1", secret + "x"),
        token_key("ww1", secret, kind="jsapi_ticket"),
    }

    assert len(keys) == 4
    assert not any(secret[i : i + 5] in key for key in keys for i in range(len(secret) - 5))


def test_memory_backend_forgets_a_token_at_its_end(clock: Clock) -> None:
    backend = MemoryBackend(clock=clock)
    backend.set("k", "T", 10)

    clock.now += 10

    assert backend.get("k") is None
