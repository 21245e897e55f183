"""A pretended WeCom for senders: it counts effects and can misbehave on purpose. No socket."""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.wechat.errors import OutcomeUnknown, WeChatError, error_for
from bot.wechat.transport import Timeout
from bot.wechat.wecom import MediaUpload
from tests.envelopes import NOW

WELCOME, NOTICE, REMARK = "externalcontact/send_welcome_msg", "message/send", "externalcontact/remark"
PROFILE, ADD_WAY = "externalcontact/get", "externalcontact/add_contact_way"
OK = {"errcode": 0, "errmsg": "ok"}


class Clock:
    """An instant that moves only when told to; as ``monotonic`` for what measures."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class CutAfter:
    """The call takes effect, its answer never arrives."""

    error: WeChatError = field(default_factory=lambda: OutcomeUnknown(errmsg="ReadTimeout"))


Step = WeChatError | CutAfter | Callable[[], Any]


@dataclass(frozen=True)
class Seen:
    api: str
    body: dict[str, Any]
    raw: bytes | None
    timeout: Timeout | None
    secret: str


class Platform:
    """Knows welcome codes, duplicate notices, contact ways and media as the platform does."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seen: list[Seen] = []
        self.script: dict[str, deque[Step]] = defaultdict(deque)
        self.effects: Counter[str] = Counter()
        self.order: list[str] = []  # effects in their order
        self.codes: dict[str, datetime] = {}
        self.ways: dict[str, str] = {}
        self.profiles: dict[str, dict[str, Any]] = {}
        self.dead_media: set[str] = set()
        self._notices: dict[bytes, datetime] = {}
        self._uploads = 0

    def next(self, api: str, *steps: Step) -> None:
        """What the next calls of an API come to, instead of success."""
        self.script[api].extend(steps)

    def calls(self, api: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.api == api]

    def call(
        self,
        api: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        secret: str = "contact",
        timeout: Timeout | None = None,
    ) -> dict[str, Any]:
        raw = body if isinstance(body, bytes) else None
        sent = json.loads(raw) if raw is not None else dict(body or params or {})
        self.seen.append(Seen(api, sent, raw, timeout, secret))
        step = self.script[api].popleft() if self.script[api] else None
        if isinstance(step, WeChatError):
            raise step
        answer = step() if callable(step) and not isinstance(step, CutAfter) else None
        answer = answer or self._answer(api, sent, raw)
        if isinstance(step, CutAfter):
            raise step.error
        if answer["errcode"]:
            raise error_for(answer["errcode"], "refused", api=api)
        return answer

    def upload_media(self, kind: str, filename: str, data: bytes) -> MediaUpload:
        self.seen.append(Seen("media/upload", {"kind": kind, "filename": filename}, data, None, "app"))
        step = self.script["media/upload"].popleft() if self.script["media/upload"] else None
        if isinstance(step, WeChatError):
            raise step
        self._uploads += 1
        return MediaUpload(f"MEDIA-{self._uploads}", self.clock())

    def _effect(self, key: str) -> None:
        self.effects[key] += 1
        self.order.append(key)

    def _answer(self, api: str, sent: dict[str, Any], raw: bytes | None) -> dict[str, Any]:
        match api:
            case "externalcontact/send_welcome_msg":
                return self._welcome(sent)
            case "message/send":
                return self._notice(raw or b"")
            case "externalcontact/get":
                profile = self.profiles.get(sent["external_userid"], {"name": "王五", "type": 1})
                return {**OK, "external_contact": {"external_userid": sent["external_userid"], **profile}}
            case "user/get":
                return {**OK, "userid": sent["userid"], "name": sent["userid"].title(), "status": 1}
            case "externalcontact/add_contact_way":
                self._effect(f"way:{sent['state']}")
                self.ways[f"cfg-{len(self.ways) + 1}"] = sent["state"]
                return {**OK, "config_id": f"cfg-{len(self.ways)}", "qr_code": "https://qr/1"}
            case "externalcontact/list_contact_way":
                return {**OK, "contact_way": [{"config_id": config_id} for config_id in self.ways]}
            case "externalcontact/get_contact_way":
                config_id = sent["config_id"]
                way = {"config_id": config_id, "state": self.ways[config_id], "qr_code": "https://qr/1"}
                return {**OK, "contact_way": way}
        self._effect(f"{api}:{json.dumps(sent, sort_keys=True, ensure_ascii=False)}")
        return dict(OK)

    def _welcome(self, sent: dict[str, Any]) -> dict[str, Any]:
        code = sent["welcome_code"]
        used = {item[item["msgtype"]].get("media_id") for item in sent.get("attachments", [])}
        if used & self.dead_media:
            return {"errcode": 40007}
        issued = self.codes.setdefault(code, self.clock())
        if self.effects[f"welcome:{code}"]:
            return {"errcode": 41051}
        if self.clock() - issued > timedelta(seconds=20):
            return {"errcode": 41050}
        self._effect(f"welcome:{code}")
        return dict(OK)

    def _notice(self, raw: bytes) -> dict[str, Any]:
        last = self._notices.get(raw)
        if last is None or self.clock() - last > timedelta(seconds=1800):
            self._notices[raw] = self.clock()
            self._effect(f"notice:{raw.decode()}")
        return {**OK, "msgid": "m"}
