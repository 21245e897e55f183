"""The company of the demo: who works there, its tags, its channels. Data; tests hold it against the real rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scrm.channels.spec import ChannelSpec

NAME = "启程挂车租赁（上海）有限公司"
ROOT, MARKETING, EAST, SOUTH, SDR, SUCCESS = 1, 2, 3, 4, 5, 6
DEPARTMENTS = (
    (ROOT, NAME, 0, 100),
    (MARKETING, "市场部", ROOT, 90),
    (EAST, "销售一部（华东）", ROOT, 80),
    (SOUTH, "销售二部（华南）", ROOT, 70),
    (SDR, "SDR 组", ROOT, 60),
    (SUCCESS, "客户成功部", ROOT, 50),
)


@dataclass(frozen=True)
class Member:
    """Somebody who works there.

    ``answers_in`` is the median first response in minutes, ``writes`` how diligently follow-ups are written down (1
    as often as most), ``forgets`` the share of new contacts who never hear from them.
    """

    userid: str
    name: str
    position: str
    departments: dict[int, bool]
    answers_in: float = 40
    writes: float = 1.0
    forgets: float = 0.05
    on_leave: bool = False


EARLY, LATE, WEEKEND = "chensiyuan", "liuchang", "heyutong"
SDRS = [EARLY, LATE, WEEKEND]
ADMIN, MARKETER = "wangmin", "lina"
EAST_BOSS, SOUTH_BOSS = "zhaopeng", "linhaiyan"
EAST_REPS, SOUTH_REPS = ["zhoulei", "xujianing"], ["liangzhiqiang", "huangxiaotong"]
CARE = "sunli"

STAFF = (
    Member(ADMIN, "王敏", "市场总监 · 企业微信管理员", {ROOT: False, MARKETING: True}),
    Member(MARKETER, "李娜", "内容与活动运营", {MARKETING: False}),
    Member(EARLY, "陈思远", "SDR（早班）", {SDR: True}, answers_in=2, writes=1.5, forgets=0.01),
    Member(LATE, "刘畅", "SDR（晚班）", {SDR: False}, answers_in=14, writes=1.1, forgets=0.04),
    Member(WEEKEND, "何雨桐", "SDR（周末班）", {SDR: False}, answers_in=38, writes=0.8, forgets=0.1),
    Member("zhoulei", "周磊", "销售经理（华东）", {EAST: False}, answers_in=22, writes=1.3, forgets=0.03),
    Member("xujianing", "徐佳宁", "销售经理（华东）", {EAST: False}, answers_in=55, writes=0.9, forgets=0.06),
    Member(
        "liangzhiqiang",
        "梁志强",
        "销售经理（华南）",
        {SOUTH: False},
        answers_in=290,
        writes=0.4,
        forgets=0.25,
    ),
    Member(
        "huangxiaotong",
        "黄晓彤",
        "销售经理（华南）",
        {SOUTH: False},
        answers_in=30,
        writes=1.0,
        on_leave=True,
    ),
    Member(EAST_BOSS, "赵鹏", "销售一部经理", {EAST: True}, answers_in=75, writes=0.7),
    Member(SOUTH_BOSS, "林海燕", "销售二部经理", {SOUTH: True}, answers_in=48, writes=0.9),
    Member(CARE, "孙丽", "客户成功经理", {SUCCESS: True}, answers_in=18, writes=1.4, forgets=0.02),
)

TAG_GROUPS = (
    ("来源", ("展会", "官网", "内容", "白皮书", "广告", "转介绍", "车身码")),
    ("区域", ("华东", "华南", "华北")),
    ("意向", ("高意向", "观望", "无意向")),
    ("车型", ("平板", "厢式", "冷藏", "骨架")),
    ("角色", ("老板", "采购", "车队长", "财务")),
    ("规模", ("≤20 辆", "20–100 辆", ">100 辆")),
)

FAIR, WEBSITE, PAPER = "上海物流展 2026", "官网在线咨询", "白皮书《挂车全生命周期成本》"
ADS, REFERRAL, TRAILERS = "短视频广告", "老客户转介绍", "车身二维码"
SITE = "https://www.example.com/qicheng"
POSTER, WHITE_PAPER, PRICE_CARD = "poster", "white_paper", "price_card"  # names of the files in ``files``
BROCHURE, PRICE_LIST = "brochure", "price_list"


@dataclass(frozen=True)
class Source:
    """A channel and how people come: ``days`` is (first, last) day ago, ``hours`` the local span of a day."""

    spec: ChannelSpec
    created_days_ago: int
    people: int
    days: tuple[int, int]
    hours: tuple[float, float]
    weekend: float = 0.3  # weekend days bring so much of a workday
    loses: float = 1.0  # how much likelier than others people are to leave
    quality: float = 1.0  # how far people get
    peak: dict[int, int] = field(default_factory=dict)  # day ago → people, beside the steady flow


def _image(name: str) -> dict[str, Any]:
    return {"msgtype": "image", "image": {"media": name}}


def _file(name: str) -> dict[str, Any]:
    return {"msgtype": "file", "file": {"media": name}}


def _link(title: str, desc: str, page: str) -> dict[str, Any]:
    return {"msgtype": "link", "link": {"title": title, "desc": desc, "url": f"{SITE}/{page}"}}


def _shift(days: list[int], start: str, end: str, staff: list[str]) -> dict[str, Any]:
    return {"weekdays": days, "from": start, "to": end, "staff": staff}


WORKDAYS, WEEKENDS = [1, 2, 3, 4, 5], [6, 7]
SDR_SHIFTS = [
    _shift(WORKDAYS, "08:30", "15:00", [EARLY]),
    _shift(WORKDAYS, "12:00", "21:00", [LATE]),
    _shift(WEEKENDS, "09:00", "18:00", [WEEKEND]),
]
EVENING_SHIFTS = [
    _shift(WORKDAYS, "17:30", "23:30", [LATE]),
    _shift(WEEKENDS, "17:30", "23:30", [WEEKEND]),
]

SOURCES = (
    Source(
        ChannelSpec(
            name=FAIR,
            staff=SDRS,
            backup_staff=[EAST_BOSS],
            tags=["来源/展会", "区域/华东"],
            schedule=SDR_SHIFTS,
            cost_fen=3_860_000,
            remark_template="{customer}-展会{date}",
            welcome={
                "text": "{customer}，您好！我是启程挂车的{rep}，很高兴在上海物流展 2026 认识您。\n"
                "展会期间签约，首月租金减免 50%。下面是展位海报和产品手册，方便您带给同事看。\n"
                "您主要跑哪条线、需要什么车型？告诉我，我来给您配车报价。",
                "attachments": [
                    _image(POSTER),
                    _link(
                        "启程挂车产品手册 2026",
                        "平板、厢式、冷藏、骨架四大系列，全国 38 个服务网点",
                        "brochure",
                    ),
                ],
            },
        ),
        created_days_ago=26,
        people=660,
        days=(25, 0),
        hours=(9, 18),
        loses=0.8,
        quality=1.0,
        peak={24: 318, 23: 276},
    ),
    Source(
        ChannelSpec(
            name=WEBSITE,
            staff=SDRS,
            backup_staff=[SOUTH_BOSS],
            tags=["来源/官网"],
            daily_limit=30,
            daily_limits={EARLY: 12, LATE: 10, WEEKEND: 8},
            cost_fen=1_200_000,
            remark_template="{customer}-官网",
            welcomes=[
                {
                    "weekdays": WORKDAYS,
                    "from": "09:00",
                    "to": "18:00",
                    "text": "{customer}您好，我是启程挂车在线顾问{rep}，看到您从官网过来。\n"
                    "请问是想了解挂车租赁、维保，还是以租代购？我这边可以马上为您算一笔账。",
                    "attachments": [
                        _link("挂车租赁费用计算器", "输入车型和里程，30 秒得出月租与总成本", "calculator")
                    ],
                },
                {
                    "text": "{customer}您好，我是启程挂车的{rep}。现在是非工作时间，我看到消息会尽快回复；"
                    "急需用车请拨打 24 小时服务热线 400-000-2026。",
                    "attachments": [_link("挂车租赁费用计算器", "先自己算一算：月租与总成本", "calculator")],
                },
            ],
        ),
        created_days_ago=180,
        people=540,
        days=(59, 0),
        hours=(8.2, 22),
        weekend=0.45,
        loses=0.7,
        quality=1.2,
    ),
    Source(
        ChannelSpec(
            name=PAPER,
            staff=SDRS,
            tags=["来源/内容", "来源/白皮书"],
            cost_fen=860_000,
            remark_template="{customer}-白皮书",
            welcome={
                "text": "{customer}，感谢下载《挂车全生命周期成本》白皮书，PDF 在下面，可直接转发给同事。\n"
                "第 12 页的成本模型可以换成您自己的数据，需要 Excel 版的话回复“模型”，{rep}发给您。",
                "attachments": [_file(WHITE_PAPER)],
            },
        ),
        created_days_ago=58,
        people=330,
        days=(56, 0),
        hours=(8.5, 22.5),
        weekend=0.5,
        loses=0.4,
        quality=2.2,
    ),
    Source(
        ChannelSpec(
            name=ADS,
            staff=SDRS,
            tags=["来源/广告"],
            schedule=EVENING_SHIFTS,
            backup_staff=[MARKETER],
            cost_fen=5_200_000,
            welcome={
                "text": "您好，我是启程挂车{rep}。视频里的限时价还在：厢式挂车月租 1,680 元起，先到先得。\n"
                "回复车型和城市，马上发您报价单。",
                "attachments": [_image(PRICE_CARD)],
            },
        ),
        created_days_ago=41,
        people=490,
        days=(40, 0),
        hours=(17.6, 23.4),
        weekend=1.3,
        loses=3.4,
        quality=0.25,
    ),
    Source(
        ChannelSpec(
            name=REFERRAL,
            staff=[*EAST_REPS, *SOUTH_REPS, CARE],
            backup_staff=[EAST_BOSS, SOUTH_BOSS],
            tags=["来源/转介绍"],
            weights={"zhoulei": 3, "xujianing": 2, "liangzhiqiang": 2, "huangxiaotong": 2, CARE: 3},
            cost_fen=150_000,
            welcome={
                "text": "{customer}您好，我是启程挂车的{rep}。谢谢老朋友的介绍！\n"
                "转介绍客户首年享 9 折，另送一次全车保养。您方便时说说现在的车队情况，我来给您出方案。",
            },
        ),
        created_days_ago=200,
        people=76,
        days=(59, 0),
        hours=(9, 19),
        weekend=0.2,
        loses=0.15,
        quality=4.0,
    ),
    Source(
        ChannelSpec(
            name=TRAILERS,
            staff=[*EAST_REPS, *SOUTH_REPS],
            backup_staff=[EAST_BOSS, SOUTH_BOSS],
            tags=["来源/车身码"],
            daily_limit=20,
            daily_limits={"zhoulei": 8},
            cost_fen=960_000,
            remark_template="{customer}-车身{date}",
            welcome={
                "text": "您好，我是启程挂车的{rep}。您扫的是我们在路上跑的一台启程挂车。\n"
                "想租同款、报修或者了解网点，直接告诉我车型和所在城市即可。",
                "attachments": [_link("附近的启程服务网点", "全国 38 个网点，故障 2 小时到场", "stations")],
            },
        ),
        created_days_ago=45,
        people=172,
        days=(42, 0),
        hours=(7, 21),
        weekend=0.8,
        loses=1.0,
        quality=1.1,
    ),
)
DIRECT_PEOPLE, LEADS = 92, 40  # who added a rep directly; who were entered by hand from business cards
CONTACTS = sum(source.people for source in SOURCES) + DIRECT_PEOPLE + LEADS

DEFAULT_WELCOME = {
    "text": "{customer}您好，我是启程挂车的{rep}，很高兴认识您。我们提供挂车租赁、维保和以租代购，有需要随时找我。"
}
