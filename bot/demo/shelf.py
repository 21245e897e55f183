"""What the company's reps send: quick replies by folder, materials, and how often each was used of late."""

# ruff: noqa: E501, PLR2004 - texts stand as they are read; shares, days and hours are plain numbers
from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from bot.demo.company import (
    ADMIN,
    BROCHURE,
    CARE,
    EARLY,
    EAST_REPS,
    LATE,
    MARKETER,
    POSTER,
    PRICE_CARD,
    PRICE_LIST,
    SITE,
    WEEKEND,
    WHITE_PAPER,
)
from bot.demo.ids import at_work
from scrm.accounts.models import Staff
from scrm.contacts.models import Relation
from scrm.ids import new_id
from scrm.library import folders, service
from scrm.library.folders import Hand
from scrm.library.models import Folder, FolderKind, LibraryUse, MaterialKind, Reply, UseWay
from scrm.library.service import MaterialSpec, ReplySpec

SEED = 20260302
DAYS = 45
MOST_RELATIONS = 600

# title, text, how much it is used (0: by nobody), the key of a material that goes with it
Written = tuple[str, str, float, str]
REPLIES: Mapping[str, Sequence[Written]] = {
    "报价": (
        ("开场：先问需求", "{customer}您好，我是启程挂车的{staff}。方便说下主要跑哪条线、要什么车型、大概几台吗？我按实际用法给您报。", 9, ""),
        ("厢式月租报价", "{customer}您好，13.75 米厢式挂车月租 1,680 元起（签 12 个月，含年检和保险）。{company}若租 5 台以上，我去申请协议价。", 8, "list"),
        ("冷藏车报价", "冷藏挂车月租 4,200 元起，机组保养、温控记录都含在里面。您平时跑多少度？我给您配对应的机组。", 5, "list"),
        ("含哪些费用", "月租已含：保险、年检、常规保养和全国 38 个网点的救援。油费、过路费和违章由您承担，没有别的费用。", 6, ""),
        ("押金怎么收", "押金是一个月租金，退车验车后 7 个工作日退回。{company}提供近三个月流水的话，可以免一半。", 3, ""),
        ("报价有效期", "这份报价 15 天内有效，{customer}您先和老板商量，我这边给您留着车。", 2, ""),
    ),
    "车型": (
        ("四种车型怎么选", "平板拉钢材和设备，厢式拉快递和百货，冷藏拉生鲜医药，骨架拉集装箱。您拉什么货？我帮您对。", 6, "brochure"),
        ("厢式尺寸", "13.75 米厢式：内宽 2.46 米、内高 2.65 米，可装 66 个标准托盘位，侧帘可选。", 4, "brochure"),
        ("车况与车龄", "我们的车平均车龄 2.1 年，每台交车前做 86 项检查，检查单会随车给您。", 4, ""),
        ("可以先试租吗", "可以。先试租一个月，满意再签长租，试租的月租能抵首月。", 5, ""),
        ("样车看车地址", "样车在苏州交付中心和上海嘉定停车场，工作日 9 点到 18 点。{customer}您哪天方便？我提前把车开出来。", 3, ""),
    ),
    "售后": (
        ("报修怎么走", "{customer}，请把车牌、位置和现场照片发我，我马上派最近的网点，30 分钟内给您回电。", 5, ""),
        ("全国网点", "全国 38 个网点，高速口 20 公里内基本都有。您常跑的线路发我，我把沿途网点标给您。", 3, ""),
        ("轮胎磨损", "正常磨损我们承担，每 8 万公里统一换。人为割伤需要您承担，单价按采购价。", 2, ""),
        ("交车后一周回访", "{customer}您好，我是{staff}。车用了一周，制动、灯光和轮胎有没有不顺手的地方？有问题我今天安排。", 4, ""),
        ("节假日值班", "放假期间救援照常，{staff}的手机也开着，有事直接打。", 0, ""),
    ),
    "合同": (
        ("合同要准备什么", "签约需要：营业执照、法人身份证、开户许可证，盖章扫描件就行，原件交车时看。", 4, ""),
        ("违约怎么算", "提前退车按剩余月租的 20% 结算；换成别的车型不算违约，补差价即可。", 2, ""),
        ("开票说明", "租金开 13% 专票，每月 5 号前开出。请把{company}的开票信息发我。", 3, ""),
        ("催回传合同", "{customer}您好，合同前天发您了，方便今天回传吗？我这边好锁车，月底车会紧。", 3, ""),
    ),
    "竞品": (
        ("和自购比", "自购一台十年总成本大约 48 万，租十年约 26 万，还不占资金。这份白皮书里有算法，您让财务看看。", 5, "paper"),
        ("和别家比价格", "别家 1,500 的报价一般不含保险和年检，一年要另付 6,900 左右。您把他们的清单发我，我逐项帮您对。", 4, ""),
        ("小平台的车", "二手翻新车便宜，但停驶一天就亏一天租金的 6%。我们停驶超 24 小时给您换车。", 2, ""),
        ("已经有供应商", "没关系，{customer}。旺季车不够的时候找我，临租三天起，先加着不打扰您。", 0, ""),
    ),
}  # fmt: skip
# of one rep: texts that are good enough for the team
OWN: Sequence[Written] = (
    ("加上先打招呼", "{customer}您好，我是启程的{staff}，做挂车租赁 6 年了。您先忙，用得上我就在。", 7, ""),
    ("周末也能联系", "周末我也在，{customer}您直接发消息，看到就回。", 3, ""),
)

# folder → key, kind, title, file or cover, detail, how much it is used
Made = tuple[str, MaterialKind, str, str, Mapping[str, str], float]
_FILE, _LINK, _MINI, _IMAGE = (
    MaterialKind.FILE,
    MaterialKind.LINK,
    MaterialKind.MINIPROGRAM,
    MaterialKind.IMAGE,
)
MATERIALS: Mapping[str, Sequence[Made]] = {
    "手册与报价": (
        ("brochure", _FILE, "产品手册 2026", BROCHURE, {}, 8),
        ("list", _FILE, "挂车租赁价目表", PRICE_LIST, {}, 7),
        ("paper", _FILE, "白皮书：挂车全生命周期成本", WHITE_PAPER, {}, 4),
        ("poster", _IMAGE, "上海物流展海报", POSTER, {}, 2),
        ("card", _IMAGE, "限时报价卡", PRICE_CARD, {}, 5),
    ),
    "案例": (
        ("case1", _LINK, "案例：快递车队 60 台厢式车，旺季不再缺车", POSTER, {"url": f"{SITE}/cases/express", "desc": "淡季退、旺季加，车辆利用率从 71% 到 93%"}, 4),
        ("case2", _LINK, "案例：生鲜冷链，温控记录过了超市的审计", "", {"url": f"{SITE}/cases/cold", "desc": "24 台冷藏挂车，全程温度曲线"}, 3),
        ("case3", _LINK, "案例：港口集卡，骨架车按趟算钱", "", {"url": f"{SITE}/cases/port", "desc": "停驶不付租金的分成合同"}, 0),
    ),
    "工具与文章": (
        ("calculator", _LINK, "租还是买？成本计算器", PRICE_CARD, {"url": f"{SITE}/calculator", "desc": "填里程和车数，一分钟看到十年的差额"}, 6),
        ("article", _LINK, "挂车年检新规，车队要改的三件事", "", {"url": f"{SITE}/articles/inspection", "desc": "2026 年 3 月起执行"}, 2),
        ("mini", _MINI, "启程选车助手", POSTER, {"appid": "wx7a3c9e15b2d40f68", "page": "pages/choose/index.html"}, 3),
    ),
}  # fmt: skip


def stock(session: Session, media: Mapping[str, str], *, now: datetime, tz: tzinfo) -> None:
    """Write the library and its uses of the last weeks. ``media`` maps the files' names to the ids they have."""
    rng = random.Random(SEED)  # noqa: S311 - the same demo each time
    staff = {row.userid: row.id for row in session.scalars(select(Staff))}
    hand = Hand(None, keeps_team=True, name=f"staff:{MARKETER}")
    born = now - timedelta(days=DAYS + 15)
    weights: dict[str, float] = {}
    materials = {}
    for name, made in MATERIALS.items():
        place = _folder(session, FolderKind.MATERIALS, name, hand, now=born)
        for key, kind, title, file, detail, weight in made:
            spec = MaterialSpec(kind, title, detail, media[file] if file else None)
            one = service.create_material(
                session, place.id, spec, hand=hand, now=now
            )  # uploads are owed today
            one.created_at = one.updated_at = born
            materials[key] = one.id
            weights[one.id] = weight
    for name, written in REPLIES.items():
        place = _folder(session, FolderKind.REPLIES, name, hand, now=born)
        weights |= _write(session, place, written, materials, hand, now=born)
    own = Hand(staff[LATE], name=f"staff:{LATE}")
    place = _folder(session, FolderKind.REPLIES, "常用", own, now=born)
    mine = _write(session, place, OWN, materials, own, now=born)
    session.flush()
    uses = _uses(session, rng, weights, _senders(staff), now=now, tz=tz)
    uses += _uses(session, rng, mine, [staff[LATE]], now=now, tz=tz)
    session.execute(insert(LibraryUse), sorted(uses, key=lambda row: str(row["id"])))
    _count(session, uses)


def forget_uses(session: Session) -> None:
    """Nothing was used yet: after the customers are gone."""
    for model in folders.MODELS.values():
        session.execute(update(model).values(used=0, used_at=None))


def _folder(session: Session, kind: FolderKind, name: str, hand: Hand, *, now: datetime) -> Folder:
    return folders.create_folder(session, kind, name, owner_id=hand.staff_id, hand=hand, now=now)


def _write(
    session: Session,
    place: Folder,
    written: Sequence[Written],
    materials: Mapping[str, str],
    hand: Hand,
    *,
    now: datetime,
) -> dict[str, float]:
    weights = {}
    for title, text, weight, key in written:
        spec = ReplySpec(title, text, materials[key] if key else None)
        made: Reply = service.create_reply(session, place.id, spec, hand=hand, now=now)
        weights[made.id] = weight
    return weights


def _senders(staff: Mapping[str, str]) -> list[str]:
    """Who sends how often: a member stands here once for each share."""
    shares = {EARLY: 4, LATE: 3, WEEKEND: 2, CARE: 2, **dict.fromkeys(EAST_REPS, 3), ADMIN: 1}
    return [staff[userid] for userid, share in shares.items() for _ in range(share)]


def _uses(
    session: Session,
    rng: random.Random,
    weights: Mapping[str, float],
    senders: Sequence[str],
    *,
    now: datetime,
    tz: tzinfo,
) -> list[dict[str, object]]:
    """Some dozen uses a week, of each in its share, in working hours, with customers of whoever sends."""
    query = select(Relation.staff_id, Relation.contact_id).where(Relation.staff_id.in_(set(senders)))
    contacts: dict[str, list[str]] = {}
    for staff_id, contact_id in session.execute(query.order_by(Relation.id.desc()).limit(MOST_RELATIONS)):
        contacts.setdefault(staff_id, []).append(contact_id)
    found: list[dict[str, object]] = []
    for item_id, weight in weights.items():
        for _ in range(round(weight * rng.uniform(1.6, 2.4))):
            sender = rng.choice(senders)
            at = at_work(now - timedelta(days=rng.uniform(0.1, DAYS)), tz, rng)
            if at >= now or sender not in contacts:
                continue
            way = UseWay.COPY if rng.random() < 0.15 else UseWay.CHAT
            contact = rng.choice(contacts[sender])
            found.append(
                {"id": new_id(), "item_id": item_id, "staff_id": sender, "contact_id": contact, "way": way, "at": at}
            )  # fmt: skip
    return found


def _count(session: Session, uses: Sequence[Mapping[str, object]]) -> None:
    totals: dict[str, list[object]] = {}
    for use in uses:
        totals.setdefault(str(use["item_id"]), []).append(use["at"])
    for item_id, moments in totals.items():
        for model in folders.MODELS.values():
            counted = update(model).where(model.id == item_id)
            session.execute(counted.values(used=len(moments), used_at=max(moments)))  # type: ignore[type-var]
