"""What a person sees once the demo serves."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.demo.places import HOST, Places

ASK_EVERY_S = 0.05
GIVE_UP_S = 60.0
# Short lines: a terminal of 80 columns holds 30 Chinese characters beside the first column.
TRY = (
    ("试一试", "打开沙箱手机，扫『上海物流展 2026』："),
    ("", "一秒内收到欢迎语，客户被打标签、分配、通知销售；"),
    ("", "再在手机上删除销售，客户随即变为流失。"),
)
CLUSTER_HINTS = (
    *TRY,
    ("再试一试", "kill -9 上面任何一个 pid：随即重新启动，什么都不丢。"),
    ("停止", "Ctrl-C；数据都在，再次运行同一条命令接着用"),
    ("手工启动", "docs/deploy.md 的 Try a cluster：每个进程一条命令"),
)
HINTS = (
    *TRY,
    ("停止", "Ctrl-C；数据都在，再次 make demo 接着用"),
    ("清空客户", ".venv/bin/python -m bot.demo --empty"),
)


def show_when_ready(places: Places, info: Mapping[str, Any], began: float, fresh: bool) -> None:  # noqa: FBT001
    """Print where everything is as soon as requests are answered."""
    end = time.monotonic() + GIVE_UP_S
    while time.monotonic() < end:
        if is_ready(places):
            rows = _addresses(places, info) | {"运行日志": str(places.log)}
            _print(_panel(rows, HINTS, time.monotonic() - began, fresh=fresh))
            return
        time.sleep(ASK_EVERY_S)


def show_cluster(
    places: Places,
    info: Mapping[str, Any],
    processes: Mapping[str, tuple[int, Path]],
    seconds: float,
    *,
    fresh: bool,
) -> None:
    """Print where everything is and which processes run."""
    listed = "\n".join(f"{name:<12}{pid:>8}  {log}" for name, (pid, log) in processes.items())
    rows = _addresses(places, info) | {"配置文件": str(places.config), "进程": listed}
    _print(_panel(rows, CLUSTER_HINTS, seconds, fresh=fresh))


def tell(text: str) -> None:
    """One line about what happens while the demo runs."""
    _print(Text(f"{time.strftime('%H:%M:%S')} {text}"))


def _print(what: RenderableType) -> None:
    console = Console(highlight=False)
    console.print(what, soft_wrap=isinstance(what, Text))


def is_ready(places: Places) -> bool:
    """Whether requests are answered."""
    connection = http.client.HTTPConnection(HOST, places.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _addresses(places: Places, info: Mapping[str, Any]) -> dict[str, str]:
    return {
        "沙箱手机": f"{info['sandbox_url']}（扮演企业微信）",
        "REST 接口": f"{info['base_url']}/api/v1/docs",
        "接口令牌": f"{info['api_token']}",
        "控制台登录": f"{info['console_user']} / {info['console_password']}",
        "供程序读取": f"{places.info}",
    }


def _panel(
    rows: Mapping[str, str], hints: Sequence[tuple[str, str]], seconds: float, *, fresh: bool
) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    table.add_row("", "")
    for name, line in hints:
        table.add_row(name, line)
    what = "已写入 2,400 位演示客户，" if fresh else ""
    return Panel(
        table, title=f"联客演示已就绪（{what}用时 {seconds:.1f} 秒）", border_style="green", expand=False
    )
