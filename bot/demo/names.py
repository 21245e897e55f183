"""Names as people use them in WeChat, and the firms they work for. All made up."""

# ruff: noqa: PLR2004 - a made-up world needs no secrecy; shares are plain numbers
from __future__ import annotations

import random

_SURNAMES = (
    "王王王王李李李李张张张张刘刘刘陈陈陈杨杨黄黄赵赵吴吴周周徐徐孙孙马马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾"
    "肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严武戴莫孔向汤"
)
_GIVEN_MALE = (
    "伟强磊军洋勇杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林欢佳建国建军志强志明海涛海波国栋国庆文博子轩晓东晓峰永康德胜立新"
    "家豪俊杰天佑振华振东兴旺成功正阳光明大勇世杰宏伟红星金龙春生长江长青东升"
)
_GIVEN_FEMALE = (
    "芳娜敏静丽艳娟霞秀英桂英玉兰雪梅红梅晓燕海燕佳怡欣怡雨桐梓涵思琪美玲淑珍丽华婷婷"
    "丹丹莉莉倩倩慧敏雅琴春梅秋菊小红"
)
_NICKNAMES = (
    "阿强", "老周", "大鹏", "平安是福", "一路顺风", "风雨兼程", "卡车老李", "跑车的老张", "陈哥跑广州",
    "货运小王", "天道酬勤", "厚德载物", "宁静致远", "海阔天空", "诚信物流", "冷链老刘", "挂车张", "拖头侠",
    "随风", "清风徐来", "顺其自然", "上善若水", "知足常乐", "努力奋斗", "江湖再见", "小鱼儿", "半夏",
    "阳光灿烂", "追风少年", "北方的狼", "老司机带带我", "夜行货车", "重卡之家", "安全到家", "不忘初心",
    "心若向阳", "云淡风轻", "往事随风", "大海", "晴天", "小太阳", "蓝天白云", "一帆风顺", "沪C老马",
    "浙江小陈", "皖北老赵", "老白谈车", "甩挂达人", "轮胎哥", "调度小姐姐", "车队管家", "采购小杨",
    "在路上", "远方", "静静的等待", "幸福一家人", "琪琪妈妈", "浩浩爸爸", "平平淡淡才是真", "相信自己",
    "开心就好", "勿忘我", "水中月", "A0建材物流",
)  # fmt: skip
_EMOJI = (
    "🚚", "🚛", "🌟", "🌸", "🍀", "💪", "😊", "☀️", "🐟", "🔥", "🎣", "🏔️", "🍃", "🦁", "🐯", "❤️", "🚀",
    "🌈", "🍊", "☕",
)  # fmt: skip
_ENGLISH = (
    "Kevin", "Jason", "Lily", "Tony Chen", "Michael Wang", "Grace", "David.Liu", "Cindy", "Leo",
    "Jack Zhou", "Amy", "Eric", "Vivian Xu", "Frank", "Sunny", "Alex", "Helen", "Peter Lin", "Andy", "Coco",
    "Steven", "Rita", "Sam Huang", "Daisy", "Oscar", "Bruce", "Winnie", "Ken", "Mandy", "Robin",
)  # fmt: skip
_CITIES = (
    "上海", "苏州", "昆山", "无锡", "宁波", "嘉兴", "杭州", "南京", "太仓", "张家港", "合肥", "广州",
    "深圳", "东莞", "佛山", "厦门", "惠州", "中山", "南宁", "长沙", "济南", "青岛", "天津", "郑州", "临沂",
    "武汉", "成都", "徐州", "义乌", "芜湖",
)  # fmt: skip
_BRANDS = (
    "顺达", "通运", "鸿运", "安捷", "捷达", "远航", "诚通", "恒信", "万里", "宏远", "金桥", "中联", "华通",
    "盛大", "锦程", "联运", "飞鸿", "德邻", "众合", "百川", "星驰", "骏达", "凯运", "瑞丰", "天翼", "海纳",
    "广源", "佳运", "永昌", "长风",
)  # fmt: skip
_TRADES = ("物流", "运输", "供应链", "冷链物流", "货运", "国际物流", "城配", "集装箱运输", "快运", "储运")
_TITLES = ("总", "经理", "", "", "队长", "主管")

RIGHT_TO_LEFT = "محمد العلي"
SIXTY = (
    "天南海北都能到专业大件运输冷藏快运整车零担甩挂调度长期合作诚信第一欢迎老板来电洽"
    "谈二十四小时在线服务电话微信同号老张恭候"
)


def firm(rng: random.Random) -> str:
    """A firm's full name, e.g. 苏州顺达物流有限公司."""
    return f"{rng.choice(_CITIES)}{rng.choice(_BRANDS)}{rng.choice(_TRADES)}有限公司"


def short_firm(name: str) -> str:
    """How people shorten it: 顺达物流."""
    return name[2:].removesuffix("有限公司").removeprefix("港")


def person(rng: random.Random) -> tuple[str, int]:
    """A person's real name, usually of three characters, and the gender as the platform numbers it."""
    female = rng.random() < 0.28
    pool = _GIVEN_FEMALE if female else _GIVEN_MALE
    count = 1 if rng.random() < 0.16 else 2
    start = rng.randrange(len(pool) - 1)
    given = (
        pool[start]
        if count == 1
        else rng.choice((pool[start : start + 2], rng.choice(pool) + rng.choice(pool)))
    )
    return rng.choice(_SURNAMES) + given, 2 if female else 1


def wechat_name(rng: random.Random, real: str, company: str) -> str:
    """What the person calls themselves in WeChat."""
    draw = rng.random()
    if draw < 0.46:
        return real
    if draw < 0.60:
        return rng.choice(_NICKNAMES)
    if draw < 0.69:
        return rng.choice((real, rng.choice(_NICKNAMES), real[1:] if len(real) == 3 else real)) + rng.choice(
            _EMOJI
        )
    if draw < 0.83:
        return _with_firm(rng, real, short_firm(company))
    if draw < 0.89:
        return rng.choice(_ENGLISH)
    if draw < 0.94:
        return rng.choice(("小", "老", "阿")) + real[0]
    if draw < 0.97:
        return f"{rng.choice(_EMOJI)}{rng.choice(_EMOJI)} {real[1:]}"
    return rng.choice(
        (f"{real}（{rng.choice(_CITIES)}）", f".{real[1:]}", f"{real[0]}先生", f"°{rng.choice(_NICKNAMES)}°")
    )


def _with_firm(rng: random.Random, real: str, short: str) -> str:
    title = rng.choice(_TITLES)
    called = real[0] + title if title else real
    patterns = (
        f"{short}-{real}",
        f"{short} {called}",
        f"A{short}{called}",
        f"{called}｜{short}",
        f"{short}{real}",
        f"{short}·{called}",
    )
    return rng.choice(patterns)


def phone(rng: random.Random, taken: set[str]) -> str:
    """A mobile number nobody else of the demo has, from blocks that people take for examples."""
    while True:
        number = (
            rng.choice(("1380000", "1390000", "1360000", "1590000", "1880000", "1370000"))
            + f"{rng.randrange(10000):04d}"
        )
        if number not in taken:
            taken.add(number)
            return number
