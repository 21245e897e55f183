"""/channels/{id}/stats: what a channel brings, by local day."""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import Field

from bot.api.routes import Call, Routes
from bot.api.types import Answer, Day, Query
from scrm.reports.channels import DayFigures, Figures, channel_stats

routes = Routes("渠道活码")
DEFAULT_DAYS = 30


class FiguresOut(Answer):
    """The figures of a period; null where there is nothing to divide by."""

    scans: int = Field(description="扫码次数")
    new: int = Field(description="新增客户：此前不是任何员工的客户")
    lost: int = Field(description="流失客户：任一方删除好友且没有加回")
    net: int = Field(description="净增：新增减流失")
    retained_rate: float | None = Field(description="这段时间的新增客户中仍在的比例")
    tagged: int = Field(description="新增客户中已有标签的人数")
    first_response_median_s: int | None = Field(description="首次响应时长的中位数，单位秒")
    first_response_working_s: int | None = Field(
        description="首次响应时长的中位数，只计工作时间（/settings/working_hours），单位秒"
    )
    cost_per_contact_fen: int | None = Field(description="每位新增客户的成本，单位分")


class DayOut(FiguresOut):
    """The figures of one local day."""

    day: date


class StatsOut(Answer):
    """A channel's figures over a period, and by each of its days."""

    start: date
    end: date
    total: FiguresOut
    days: list[DayOut]


class StatsQuery(Query):
    """The period, both days counted; the last 30 days if not said."""

    start: Day | None = Field(None, alias="from", description="第一天，默认为最后一天之前 29 天")
    end: Day | None = Field(None, alias="to", description="最后一天（含），默认今天")


@routes.get(
    "/channels/<channel_id>/stats", "渠道统计", scope="channels.read", note="按企业所在时区的自然日统计。"
)
def get_channel_stats(call: Call, channel_id: str, query: StatsQuery) -> StatsOut:
    """The figures of one channel."""
    end = query.end or max(call.now.astimezone(call.tz).date(), query.start or date.min)
    start = query.start or end - timedelta(days=DEFAULT_DAYS - 1)
    stats = channel_stats(call.session, channel_id, start=start, end=end, tz=call.tz)
    return StatsOut(start=start, end=end, total=_total(stats.total), days=[_day(one) for one in stats.days])


def _total(figures: Figures) -> FiguresOut:
    return FiguresOut(**{name: getattr(figures, name) for name in FiguresOut.model_fields})


def _day(figures: DayFigures) -> DayOut:
    return DayOut(**{name: getattr(figures, name) for name in DayOut.model_fields})
