"""``lianke backup``: a whole, checked copy of the database while the product works."""

from __future__ import annotations

from pathlib import Path

import click

from bot.backup import files
from bot.backup.take import take
from bot.commands.context import open_product
from bot.commands.terminal import Command, progress_bar, say

FOLDER = Path("backup")


@click.command(
    cls=Command,
    help="备份数据库，运行中也可以。写完会检查，失败时不留半个文件。\n\n"
    "备份里没有 [app] encryption_keys：请另外保管 config.toml，没有密钥备份打不开。",
)
@click.option(
    "--to",
    "folder",
    default=FOLDER,
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="放到哪个目录。",
)
@click.option("--keep", type=click.IntRange(1), help="成功后只保留最新的几份，默认全部保留。")
@click.pass_context
def backup(ctx: click.Context, folder: Path, keep: int | None) -> None:
    """Take a backup and say where it is."""
    product = open_product(ctx)
    with progress_bar() as progress:
        bar = progress.add_task("备份", total=None)
        taken = take(
            product.database,
            folder,
            now=product.clock(),
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    say(f"已备份到 {taken.path}（{taken.size / 1024**2:.1f} MB，结构 {taken.revision}，已检查）")
    say("备份里没有密钥：config.toml 里的 encryption_keys 请另外保管")
    if keep is not None:
        for old in files.prune(folder, keep=keep, ending=taken.path.suffix):
            say(f"已删除旧备份 {old.name}")
