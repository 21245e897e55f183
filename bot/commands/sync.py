"""``lianke sync``: read the platform, heal what callbacks missed, and tell what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
from rich.progress import Progress, TaskID

from bot.app import Product, wecom_client
from bot.commands.context import open_product
from bot.commands.terminal import Command, Told, progress_bar, say
from bot.workers.sync import SyncProgress, run_sync
from scrm.jobs.models import Job, JobState
from scrm.sync import service

# report key → what it means; numbers and lists of names alike
LINES: Mapping[str, str] = {
    "staff_added": "新发现的员工",
    "staff_back": "回来的员工",
    "staff_left": "已离职的员工",
    "followers_gained": "新获客户联系权限",
    "followers_lost": "失去客户联系权限",
    "contacts_added": "补录的客户",
    "relations_added": "补录的好友关系",
    "relations_regained": "恢复的好友关系",
    "relations_gone": "已不存在的好友关系",
    "tags_fixed": "修正标签的客户",
    "tags_unknown": "不认识的标签",
    "ways_healed": "修复的渠道码",
    "ways_gone": "已在企业微信删除的渠道码",
    "groups_added": "补录的客户群",
    "group_members_joined": "补录的进群",
    "group_members_left": "补录的退群",
    "groups_gone": "已不存在的客户群",
    "unreadable_departments": "没有权限读取的部门",
    "unreadable_staff": "没有权限读取的员工",
    "failed_pages": "没能生效的页（lianke replay --dead 可重试）",
}
BAD = ("ways_gone", "unreadable_departments", "unreadable_staff", "failed_pages")
SHOWN = 10


@click.command(
    cls=Command,
    help="与企业微信核对员工、部门、客户、标签、渠道码和客户群，修复漏掉的变化，并列出错过的欢迎语。\n\n"
    "中断后再运行会接着做。",
)
@click.pass_context
def sync(ctx: click.Context) -> None:
    """Start a sync or go on with the one that was left."""
    product = open_product(ctx)
    with product.database.write() as session:
        left = service.last_sync(session)
        job = service.start_sync(session, created_by="cli", now=product.clock())
        job_id, resumed = job.id, left is not None and left.id == job.id
    if resumed:
        say(f"继续上次没做完的核对（任务 {job_id}）")
    with progress_bar() as progress:
        ended = _run(product, job_id, progress)
    if ended.state is JobState.DONE:
        tell_report(ended)
        return
    why = ended.error or "任务被取消"
    again = "，再运行 lianke sync 会接着做" if ended.state is JobState.PENDING else ""
    raise Told(f"核对没有完成：{why}{again}")


def _run(product: Product, job_id: int, progress: Progress) -> Job:
    client = wecom_client(product.config)
    try:
        return run_sync(
            product.database,
            client,
            job_id,
            corp=product.corp,
            clock=product.clock,
            on_progress=_shower(progress),
        )
    finally:
        client.close()


def _shower(progress: Progress) -> Callable[[SyncProgress], None]:
    """One bar per stage; a stage is over when the next begins."""
    bars: dict[str, TaskID] = {}

    def show(now: SyncProgress) -> None:
        if now.stage not in bars:
            for bar in bars.values():
                task = progress.tasks[bar]
                progress.update(bar, total=task.completed or 1, completed=task.completed or 1)
            bars[now.stage] = progress.add_task(now.label, total=None)
        progress.update(bars[now.stage], completed=now.done, total=max(now.total, now.done) or None)

    return show


def tell_report(job: Job) -> None:
    """Say in words what a finished sync found."""
    report: dict[str, Any] = dict(job.report)
    say("核对完成", style="bold green")
    found = False
    for key, label in LINES.items():
        count = _count(report, key)
        if count:
            found = True
            names = _names(report.get(key), count)
            say(f"  {'!' if key in BAD else '✓'} {label}：{count}{names}")
    for warning in report.get("warnings", []):
        say(f"  ! {warning}", style="yellow")
    if not found and not report.get("warnings"):
        say("  ✓ 与企业微信完全一致，没有要修复的")
    _tell_missed(report)


def _tell_missed(report: Mapping[str, Any]) -> None:
    missed, count = report.get("missed_welcomes") or [], int(report.get("missed_welcomes_count") or 0)
    if not count:
        say("  ✓ 没有错过欢迎语")
        return
    say(f"  ! 错过 {count} 条欢迎语（已超过 20 秒，不能补发），请员工手动问候：", style="yellow")
    for line in missed:
        say(f"      {line}")
    if count > len(missed):
        say(f"      ……还有 {count - len(missed)} 位")


def _count(report: Mapping[str, Any], key: str) -> int:
    value = report.get(key)
    counted = report.get(f"{key}_count")
    if isinstance(counted, int):
        return counted
    return len(value) if isinstance(value, list) else int(value or 0)


def _names(value: Any, count: int) -> str:
    if not isinstance(value, list) or not value:
        return ""
    more = "……" if count > SHOWN else ""
    return f"（{'、'.join(str(item) for item in value[:SHOWN])}{more}）"
