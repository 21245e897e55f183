"""``lianke restore FILE``: a backup becomes the database; nothing is sent until a person resumes."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy.engine import make_url

from bot.backup.restore import restore as bring_back
from bot.commands.context import load, open_product
from bot.commands.outbox import tell_waiting
from bot.commands.terminal import Command, progress_bar, say
from scrm import clock, seal


@click.command(
    cls=Command,
    help="从备份恢复 [database] url 指向的数据库。先停止联客。\n\n"
    "恢复后发送是暂停的：备份之后可能已经发过的调用不会再发一遍，看过清单再用 lianke outbox resume 恢复。",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="数据库里已有数据时也恢复；原来的会另存，不删除。")
@click.pass_context
def restore(ctx: click.Context, file: Path, *, overwrite: bool) -> None:
    """Restore, and say what would be sent."""
    config = load(ctx)
    seal.use(seal.Keyring([key.get_secret_value() for key in config.app.encryption_keys]))
    with progress_bar() as progress:
        bar = progress.add_task("恢复", total=None)
        done = bring_back(
            make_url(config.database.url),
            file,
            overwrite=overwrite,
            now=clock.now(),
            on_progress=lambda copied, total: progress.update(bar, completed=copied, total=total),
        )
    say(f"已从 {file} 恢复（备份时的结构 {done.revision}）", style="bold green")
    if done.aside:
        say(f"原来的数据另存为 {done.aside}，确认不需要后请自行删除")
    product = open_product(ctx)
    with product.database.read() as session:
        tell_waiting(session, now=product.clock(), tz=product.corp.tz)
    say("接下来：启动联客，运行 lianke sync 补上备份之后的变化，再用 lianke outbox resume 恢复发送")
