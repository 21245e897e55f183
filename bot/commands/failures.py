"""Errors that are expected, as one clear sentence each; every other error keeps its traceback."""

from __future__ import annotations

import errno
import sys

from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError

from bot.commands.terminal import Told
from scrm.errors import ScrmError
from scrm.seal import SealBroken

_NO_TABLE = ("no such table", "does not exist", "doesn't exist", "undefinedtable", "no such column")


def sentence(error: BaseException) -> str | None:
    """What to tell a person about this error; None when it is not an expected one."""
    match error:
        case Told():
            return str(error)
        case ScrmError():
            return error.message
        case SealBroken():
            return "数据库中的内容不能用 [app] encryption_keys 解开：请把写入数据时用的密钥加回列表"
        case SQLAlchemyError():
            return _database(error)
        case OSError() if error.errno == errno.EADDRINUSE:
            return "端口已被占用：请停止占用它的程序，或换一个端口"
        case OSError() if error.errno == errno.ENOSPC:
            return "磁盘已满：请清理后再试"
        case PermissionError():
            return f"没有权限访问 {error.filename}：请检查文件的所有者和权限"
    return _of_loaded_modules(error)


def _database(error: SQLAlchemyError) -> str | None:
    text = str(getattr(error, "orig", "") or error).lower()
    if isinstance(error, OperationalError | ProgrammingError) and any(hint in text for hint in _NO_TABLE):
        return "数据库结构不完整或不是最新：请先运行 lianke migrate"
    if "readonly" in text or "read-only" in text:
        return "数据库只读，不能写入：请检查文件和目录的权限"
    if "locked" in text:
        return "数据库被其他程序占用：请稍后再试"
    if isinstance(error, OperationalError | InterfaceError):
        return "连不上数据库：请检查 config.toml 的 [database] url，并确认数据库已启动（lianke check 会给出细节）"
    if isinstance(error, DatabaseError) and "not a database" in text:
        return "[database] url 指向的文件不是 SQLite 数据库：请检查路径"
    return None


def _of_loaded_modules(error: BaseException) -> str | None:
    """Errors of modules that only some commands import: no such error without its module."""
    runtime = sys.modules.get("bot.runtime")
    if runtime is not None and isinstance(error, runtime.AlreadyRunning):
        return str(error)
    wechat = sys.modules.get("bot.wechat.errors")
    if wechat is not None and isinstance(error, wechat.WeChatError):
        told = error.explanation
        code = f"（错误码 {error.errcode}）" if error.errcode is not None else ""
        return f"{told.message_zh}{code}：{told.next_step_zh}"
    return None
