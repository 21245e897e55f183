"""What a person sees once the demo serves."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from bot.demo.places import HOST, Places

ASK_EVERY_S = 0.05
GIVE_UP_S = 60.0
# Short lines: a terminal of 80 columns holds 30 Chinese characters beside the first column.
HINTS = (
    ("试一试", "打开沙箱手机，扫『上海物流展 2026』："),
    ("", "一秒内收到欢迎语，客户被打标签、分配、通知销售；"),
    ("", "再在手机上删除销售，客户随即变为流失。"),
    ("停止", "Ctrl-C；数据都在，再次 make demo 接着用"),
    ("清空客户", ".venv/bin/python -m bot.demo --empty"),
)


def show_when_ready(places: Places, info: Mapping[str, Any], began: float, fresh: bool) -> None:  # noqa: FBT001
    """Print where everything is as soon as requests are answered."""
    end = time.monotonic() + GIVE_UP_S
    while time.monotonic() < end:
        if _is_ready(places):
            Console(highlight=False).print(_panel(places, info, time.monotonic() - began, fresh=fresh))
            return
        time.sleep(ASK_EVERY_S)


def _is_ready(places: Places) -> bool:
    connection = http.client.HTTPConnection(HOST, places.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _panel(places: Places, info: Mapping[str, Any], seconds: float, *, fresh: bool) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "沙箱手机": f"{info['sandbox_url']}（扮演企业微信）",
        "REST 接口": f"{info['base_url']}/api/v1/docs",
        "接口令牌": f"{info['api_token']}",
        "控制台登录": f"{info['console_user']} / {info['console_password']}",
        "供程序读取": f"{places.info}",
        "运行日志": f"{places.log}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    table.add_row("", "")
    for name, line in HINTS:
        table.add_row(name, line)
    what = "已写入 2,400 位演示客户，" if fresh else ""
    return Panel(
        table, title=f"联客演示已就绪（{what}用时 {seconds:.1f} 秒）", border_style="green", expand=False
    )
