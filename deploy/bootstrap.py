#!/usr/bin/env python3
"""Prepares .venv: needs only Python 3.11 and a package index, and says what it is doing.

``bootstrap.py run`` installs what the product needs, ``dev`` what tests and lint need too. Nothing happens when uv.lock
is the one that was installed last; an interrupted run is healed by the next one. The standard library only, and syntax
that old Pythons can read, so that they reach the message that says they are too old.
"""

import os
import sys

OLDEST = (3, 11)
TOO_OLD = """
  需要 Python {0}.{1} 或更新版本,现在是 {2}.{3}({4})。
  Python {0}.{1} or newer is needed, this is {2}.{3} ({4}).

    Debian / Ubuntu:  apt install python3 python3-venv
    macOS:            brew install python@3.13
    然后 / then:      make demo PYTHON=python3.13
"""


def _use_newer_python():
    """Start again under a newer Python of this machine, if there is one."""
    import shutil
    import subprocess

    check = "import sys; sys.exit(sys.version_info < (%d, %d))" % OLDEST
    for minor in range(15, OLDEST[1] - 1, -1):
        found = shutil.which("python3.%d" % minor)
        if found and subprocess.call([found, "-c", check], stderr=subprocess.DEVNULL) == 0:
            os.execv(found, [found, os.path.abspath(__file__)] + sys.argv[1:])
    sys.exit(TOO_OLD.format(OLDEST[0], OLDEST[1], sys.version_info[0], sys.version_info[1], sys.executable))


if sys.version_info < OLDEST:
    _use_newer_python()

import hashlib  # noqa: E402 - the version check comes first

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
KINDS = ("run", "dev")


def main() -> None:
    """Prepare the environment of the kind asked for, or leave it alone when it is right already."""
    kind = sys.argv[1] if len(sys.argv) > 1 else "run"
    if kind not in KINDS:
        sys.exit("usage: bootstrap.py [run|dev]")
    if is_ready(kind):
        return
    sys.path.insert(0, os.path.join(ROOT, "deploy"))
    import bootstrap_steps  # heavy imports wait until there is work

    bootstrap_steps.prepare(kind)


def fingerprint() -> str:
    """What an environment depends on: the lock, the place it stands in, the Python that runs it."""
    with open(os.path.join(ROOT, "uv.lock"), "rb") as lock:
        digest = hashlib.sha256(lock.read())
    digest.update(ROOT.encode())
    digest.update(os.path.realpath(PYTHON).encode())
    return digest.hexdigest()


def stamp(kind: str) -> str:
    """Path of the file that holds the fingerprint of the last complete run."""
    return os.path.join(VENV, f".lianke-{kind}")


def is_ready(kind: str) -> bool:
    """Whether .venv holds what this kind needs. A dev environment can also run."""
    if not os.path.exists(PYTHON):
        return False
    wanted = fingerprint()
    for candidate in KINDS[KINDS.index(kind) :]:
        try:
            with open(stamp(candidate), encoding="utf-8") as file:
                if file.read() == wanted:
                    return True
        except OSError:
            continue
    return False


if __name__ == "__main__":
    main()
