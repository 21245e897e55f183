"""Death at each point between a callback and its last effect, one after another: nothing is lost, nothing doubled.

Each process inherits what the one before left, and dies at the next point. The order is the seed's.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests import crashing
from tests.forked import Forked, kill_session
from tests.judge import judge
from tests.rig import Rig

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

ADDED, READ = "add_external_contact", "answer.externalcontact/get"
WELCOME, TAG, NOTICE = "externalcontact/send_welcome_msg", "externalcontact/mark_tag", "message/send"
HANDLING = ("event claimed", "event handled, not committed", "event done")
SENDING = (
    "call claimed, not sent",
    "call answered, not recorded",
    "call recorded, not committed",
    "call recorded",
)
CASES = [
    ("event recorded, callback not answered", ""),
    *((point, kind) for point in HANDLING for kind in (ADDED, READ)),
    *((point, api) for point in SENDING for api in (WELCOME, TAG, NOTICE)),
]
SCANS = 3


@pytest.fixture
def rig(tmp_path: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path) as made:
        child = crashing.start(made.config_path, made.home / "serve.log")
        made.until("the product answers", made.is_up, 60)
        made.make_channel()
        end(child)
        yield made


def end(child: Forked) -> None:
    kill_session(child)
    child.wait(30)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_or_doubled_by_dying_at_every_point_in_turn(rig: Rig, seed: int) -> None:
    chance = random.Random(seed)
    for point, detail in chance.sample(CASES, len(CASES)):
        log = rig.home / "serve.log"
        doomed = crashing.start(rig.config_path, log, point, detail, skip=chance.randrange(SCANS))
        rig.until("it answers, or is dead already", lambda: rig.is_up() or doomed.poll() is not None, 60)  # noqa: B023
        for number in range(SCANS):
            rig.scan(f"{point} {detail} {number}")
        assert doomed.wait(60) == crashing.KILLED, (point, detail)  # it did get there

    heir = crashing.start(rig.config_path, rig.home / "serve.log")
    try:
        rig.drain(120)
        verdict = judge(rig)
    finally:
        end(heir)

    assert verdict.wrong == [], verdict
    assert verdict.scans + verdict.undelivered == SCANS * len(CASES)
    assert verdict.repeated_attempts >= 3  # the calls whose end nobody knew
