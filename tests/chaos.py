"""Kill the serving process at random while customers come and live on, then let the judge compare both ledgers.

``python -m tests.chaos [--kills 50] [--seed N] [--rate 8]``; LIANKE_CHAOS_KILLS sets the kills of the test, too.
A seed repeats the plan (when customers and kills come), not the machine's moods.
"""

# ruff: noqa: T201 - prints for whoever runs it
from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.judge import Verdict, judge
from tests.lives import Lives
from tests.rig import Rig


def run(home: Path, *, seed: int, kills: int, rate: float, report: bool = False) -> Verdict:
    """One run: start, kill and start again ``kills`` times, drain, judge."""
    chance = random.Random(seed)
    with Rig(home) as rig:
        rig.start()
        rig.make_channel()
        lives = Lives(rig, seed, rate)
        lives.start()
        for number in range(kills):
            if chance.random() < 0.2:
                time.sleep(
                    chance.uniform(0.0, 0.3)
                )  # right after it came up, while it takes over what is left
            else:
                time.sleep(chance.uniform(0.3, 2.5))
            rig.kill()
            if chance.random() < 0.2:
                rig.launch()
                time.sleep(chance.uniform(0.2, 1.2))  # while it starts
                rig.kill()
            time.sleep(chance.uniform(0.0, 0.5))
            rig.start()
            if report:
                print(f"kill {number + 1}/{kills}, {lives.scans} customers", flush=True)
        time.sleep(1.0)
        lives.finish()
        rig.drain()
        return judge(rig)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rate", type=float, default=8.0, help="new customers per second")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    chosen = parser.parse_args()
    Rig.is_forked = False
    print(f"chaos, embedded on SQLite: --seed {chosen.seed} --kills {chosen.kills}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        verdict = run(Path(home), seed=chosen.seed, kills=chosen.kills, rate=chosen.rate, report=True)
    return tell(verdict)


def tell(verdict: Verdict) -> int:
    """Print what the judge found; the exit code."""
    print(verdict)
    for line in verdict.wrong:
        print(f"  {line}")
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
