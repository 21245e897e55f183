"""``lianke import contacts FILE``: a CSV file becomes contacts with owners."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import click
from rich.progress import Progress

from bot.app import Product
from bot.commands.context import open_product
from bot.commands.terminal import ERR, Command, Group, Told, progress_bar, say
from scrm.leads import imports, making
from scrm.leads.imports import Judged, Sheet, Tally, Verdict

SHOWN = 5  # failures told on screen; the file has them all
ACTOR = "system"


@click.group("import", cls=Group, help="导入数据。")
def import_() -> None:
    """Hold the kinds of import."""


@import_.command(
    cls=Command,
    short_help="从 CSV 导入客户",
    help="从 CSV 文件（UTF-8 或 GBK，第一行是列名）导入客户，并按渠道轮流分配负责人。\n\n"
    "列：姓名 name、手机 phone（必填），公司 company、渠道 channel、备注 remark。"
    "手机号已存在的跳过，所以同一个文件可以放心重复导入。不合格的行写到 FILE.failed.csv，改好后可直接再导入。",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="只检查，不导入，也不写 FILE.failed.csv。")
@click.pass_context
def contacts(ctx: click.Context, file: Path, *, dry_run: bool) -> None:
    """Judge every row, create the good ones in batches, and say how it went."""
    product = open_product(ctx)
    if file.stat().st_size > imports.MAX_BYTES:
        raise Told(f"不能导入：文件超过 {imports.MAX_BYTES // 1024 // 1024} MB，请拆成几个文件")
    sheet = imports.read_sheet(file.read_bytes())
    if sheet.ignored:
        ERR.print(f"不认识的列，已忽略：{'、'.join(sheet.ignored)}", style="yellow", markup=False)
    tally = Tally()
    with progress_bar() as progress:
        bad = _run(product, sheet, tally, file.name, progress, dry_run=dry_run)
    failed = file.with_name(f"{file.name}.failed.csv")
    if bad and not dry_run:
        write_failed(failed, sheet, bad)
    _report(tally, bad, failed, dry_run=dry_run)


def _run(
    product: Product, sheet: Sheet, tally: Tally, file: str, progress: Progress, *, dry_run: bool
) -> list[Judged]:
    """Go through the batches; the bad rows."""
    seen: set[str] = set()
    bad: list[Judged] = []
    bar = progress.add_task("检查" if dry_run else "导入", total=len(sheet.rows))
    opened = product.database.read if dry_run else product.database.write
    for rows in imports.batches(sheet):
        with opened() as session:
            judged = imports.judge_batch(session, sheet, rows, seen)
            if dry_run:
                for row in judged:
                    tally.counts[row.verdict] += 1
            else:
                making.create_batch(session, judged, tally, actor=ACTOR, file=file, now=product.clock())
        bad += [row for row in judged if row.verdict is Verdict.BAD]
        progress.advance(bar, len(rows))
    return bad


def write_failed(path: Path, sheet: Sheet, bad: Sequence[Judged]) -> None:
    """Write the bad rows with their reasons; readable by the owner alone, for it holds phone numbers."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(imports.failed_header(sheet))
        writer.writerows(imports.failed_row(sheet, row) for row in bad)


def _report(tally: Tally, bad: Sequence[Judged], failed: Path, *, dry_run: bool) -> None:
    counts = tally.counts
    say(f"共 {tally.total} 行" + ("（只检查，没有导入）" if dry_run else ""))
    say(f"  ✓ {'可以导入' if dry_run else '已导入'} {counts[Verdict.GOOD]} 位客户")
    if tally.ownerless:
        say(f"  ! 其中 {tally.ownerless} 位没有负责人：渠道里没有在岗员工，请手动分配", style="yellow")
    if counts[Verdict.KNOWN]:
        say(f"  - 跳过 {counts[Verdict.KNOWN]} 行：手机号已有客户")
    if counts[Verdict.REPEATED]:
        say(f"  - 跳过 {counts[Verdict.REPEATED]} 行：手机号在文件中重复")
    if not bad:
        return
    say(
        f"  ✗ {len(bad)} 行不合格" + ("" if dry_run else f"，已写到 {failed}，改好后可直接导入它"),
        style="red",
    )
    for row in bad[:SHOWN]:
        say(f"      第 {row.line} 行：{row.reason}")
    if len(bad) > SHOWN:
        say(f"      ……还有 {len(bad) - SHOWN} 行")
