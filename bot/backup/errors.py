"""Why a backup or a restore could not be done."""

from __future__ import annotations

from scrm.errors import ScrmError


class BackupFailed(ScrmError):
    """Nothing was changed, and nothing half done is left. The message ends with the code, for whoever looks it up."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, f"{message}（{code}）")
