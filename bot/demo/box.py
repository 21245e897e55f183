"""The sandbox as a child of the demo; it dies with its parent, however that ends."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
import tomllib
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2)
LOOK_EVERY_S = 0.5
CREDENTIALS = ("corp_id", "agent_id", "secret", "contact_secret", "token", "encoding_aes_key")


def die_with(parent: int) -> None:
    """Ask the kernel to kill us when the parent dies; elsewhere than on Linux, look after it ourselves."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0:
            if os.getppid() != parent:  # it died before we asked
                sys.exit(1)
            return
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Arguments: the parent's pid, the port, the demo's configuration file, the database file."""
    parent, port, config, database = sys.argv[1:]
    die_with(int(parent))
    from bot.sandbox.server import run  # noqa: PLC0415 - first die_with, then what takes long
    from bot.sandbox.settings import SandboxSettings  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    chosen = tomllib.loads(Path(config).read_text("utf-8"))
    wecom = {name: chosen["wecom"][name] for name in CREDENTIALS}
    settings = SandboxSettings(
        **wecom,
        callback_url=f"{chosen['app']['base_url']}/callback/wecom",
        base_url=f"http://127.0.0.1:{port}",
        database=database,
    )
    run(settings, "127.0.0.1", int(port))


if __name__ == "__main__":
    main()
