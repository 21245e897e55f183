"""Does somebody else greet our customers? Another app that takes the welcome codes, or a welcome set in the console."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.check.findings import Check, Finding, listed
from scrm.accounts.models import Staff
from scrm.outbox.commands import SendWelcome
from scrm.outbox.models import OutboxAttempt, OutboxCall
from scrm.timeline.models import TimelineEntry

RIVAL = Check("rival_app", "抢发欢迎语的应用")
CONSOLE = Check("console_welcome", "管理后台欢迎语")

WINDOW = timedelta(days=7)
TAKEN, BEING_TAKEN = 41051, 41096
FEW, SERIOUS_SHARE = 3, 0.2
MOST_CODELESS = 0.5  # some adds never carry a code: the two had chatted before
MOST_ENTRIES = 100_000


def check_rivals(session: Session, now: datetime) -> list[Finding]:
    """Look at a week of welcomes."""
    return [_rival(session, now - WINDOW), _console(session, now - WINDOW)]


def _rival(session: Session, since: datetime) -> Finding:
    """First attempts that were told the code was used: nobody but another app can have used it."""
    first = (
        select(OutboxCall.command, OutboxAttempt.errcode)
        .join(OutboxAttempt, OutboxAttempt.outbox_id == OutboxCall.id)
        .where(OutboxCall.api == SendWelcome.api, OutboxAttempt.n == 1, OutboxAttempt.started_at >= since)
    )
    total = session.scalar(select(func.count()).select_from(first.subquery())) or 0
    lost = session.execute(
        first.where(OutboxAttempt.errcode.in_((TAKEN, BEING_TAKEN))).limit(MOST_ENTRIES)
    ).all()
    if not total:
        return RIVAL.ok("最近 7 天还没有发过欢迎语，无从判断")
    if not lost:
        return RIVAL.ok(f"最近 7 天发出的 {total} 条欢迎语没有被抢发")
    codes = Counter(code for _, code in lost)
    names = _names(session, [str(command["userid"]) for command, _ in lost])
    told = (
        f"最近 7 天 {total} 条欢迎语中有 {len(lost)} 条被别的应用抢先"
        f"（41051 已被发送 {codes[TAKEN]} 次，41096 正被发送 {codes[BEING_TAKEN]} 次），涉及 {listed(names)}"
    )
    advice = (
        "另一个能调用客户联系接口的应用也在给这些员工的新客户发欢迎语，谁先发谁生效。"
        "到 管理后台 → 客户联系 → API → 可调用接口的应用，以及各第三方应用里，关掉它的欢迎语或取消勾选"
    )
    serious = len(lost) >= FEW and len(lost) / total >= SERIOUS_SHARE
    return RIVAL.fail(told, advice) if serious else RIVAL.warn(told, advice)


@dataclass
class _Adds:
    added: int = 0
    codeless: int = 0


def _console(session: Session, since: datetime) -> Finding:
    """Reps whose new customers mostly come without a code: a welcome of the console goes before every app's."""
    rows = session.execute(
        select(TimelineEntry.kind, TimelineEntry.detail)
        .where(TimelineEntry.kind.in_(("contact.added", "welcome.not_owed")), TimelineEntry.at >= since)
        .limit(MOST_ENTRIES)
    )
    by_rep: dict[str, _Adds] = {}
    for kind, detail in rows:
        rep = by_rep.setdefault(str(detail.get("userid", "")), _Adds())
        if kind == "contact.added":
            rep.added += 1
        elif detail.get("reason") == "no_code":
            rep.codeless += 1
    suspects = {
        userid: rep
        for userid, rep in by_rep.items()
        if rep.codeless >= FEW and rep.codeless >= MOST_CODELESS * max(rep.added, rep.codeless)
    }
    if not suspects:
        return CONSOLE.ok("最近 7 天没有员工疑似在管理后台设置了欢迎语")
    names = _names_of(session, list(suspects))
    shares = [
        f"{names[userid]}（{rep.codeless}/{max(rep.added, rep.codeless)}）"
        for userid, rep in suspects.items()
    ]
    return CONSOLE.warn(
        f"最近 7 天这些员工的新客户大多没有欢迎语凭证：{listed(shares)}",
        "很可能在管理后台设置了欢迎语，它优先于所有应用：到 管理后台 → 客户联系 → 加客户 → 欢迎语 中去掉这些员工",
    )


def _names(session: Session, userids: list[str]) -> list[str]:
    """Names, most frequent first."""
    ordered = [userid for userid, _ in Counter(userids).most_common()]
    names = _names_of(session, ordered)
    return [names[userid] for userid in ordered]


def _names_of(session: Session, userids: list[str]) -> dict[str, str]:
    rows = session.execute(select(Staff.userid, Staff.name).where(Staff.userid.in_(userids)))
    return {userid: userid for userid in userids} | dict(iter(rows))
