"""``python -m bot.demo``: run the demo; ``--empty`` empties its database."""

from __future__ import annotations

import argparse

from bot.demo import run


def main() -> None:
    """Read the one option."""
    parser = argparse.ArgumentParser(prog="python -m bot.demo", description="联客演示环境")
    parser.add_argument(
        "--empty",
        action="store_true",
        help="清空演示客户与全部记录，保留员工、标签、渠道和配置；下次启动仍为空",
    )
    if parser.parse_args().empty:
        from bot.demo.launch import empty  # noqa: PLC0415 - heavy, and not needed to read the option

        empty()
    else:
        run()


if __name__ == "__main__":
    main()
