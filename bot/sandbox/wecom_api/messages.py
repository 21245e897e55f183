"""Messages of the app to members (path/90236)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from bot.sandbox import people
from bot.sandbox.errors import ApiError
from bot.sandbox.registry import APP, Call, endpoint
from bot.sandbox.state import dump, new_id
from bot.sandbox.wecom_api.message_kinds import check_content

MOST_USERS, MOST_PARTIES, MOST_TAGS = 1000, 100, 100
DEFAULT_INTERVAL_S, LONGEST_INTERVAL_S = 1800, 4 * 3600
MINUTE, HOUR = 60, 3600


def split(call: Call, name: str, most: int) -> list[str]:
    """The parts of a ``a|b`` field. Raises 40032 for too many."""
    parts = [part for part in call.text(name).split("|") if part]
    if len(parts) > most:
        raise ApiError(40032, name)
    return parts


def receivers(call: Call) -> tuple[list[str], dict[str, str]]:
    """The members to reach, and the answer's lists of what is invalid. Raises 82001 none named, 81013 none valid."""
    users, parties = split(call, "touser", MOST_USERS), split(call, "toparty", MOST_PARTIES)
    tags = split(call, "totag", MOST_TAGS)
    if users == ["@all"]:
        rows = call.state.all("SELECT userid FROM staff WHERE status = ?", people.ACTIVE)
        return [row["userid"] for row in rows], {"invaliduser": "", "invalidparty": "", "invalidtag": ""}
    if not users and not parties and not tags:
        raise ApiError(82001)
    found: dict[str, None] = {}
    bad_users, bad_parties = [], []
    for userid in users:
        row = people.find_staff(call.state, userid)
        if row is None or row["status"] != people.ACTIVE:
            bad_users.append(userid.lower())
        else:
            found[row["userid"]] = None
    for party in parties:
        if (
            not party.isdigit()
            or call.state.value("SELECT 1 FROM department WHERE id = ?", int(party)) is None
        ):
            bad_parties.append(party)
            continue
        found |= dict.fromkeys(row["userid"] for row in people.staff_of_department(call.state, int(party)))
    invalid = {
        "invaliduser": "|".join(bad_users),
        "invalidparty": "|".join(bad_parties),
        "invalidtag": "|".join(tags),  # the sandbox has no member tags
    }
    if not found and len(bad_parties) == len(parties):
        raise ApiError(81013, **invalid)
    return list(found), invalid


def is_duplicate(call: Call) -> bool:
    """Whether the same content went to the same receivers within the interval; remembers it if not."""
    if not call.number("enable_duplicate_check"):
        return False
    interval = call.number("duplicate_check_interval", DEFAULT_INTERVAL_S) or DEFAULT_INTERVAL_S
    if not 0 < interval <= LONGEST_INTERVAL_S:
        raise ApiError(40058, "duplicate_check_interval")
    kind = call.text("msgtype")
    parts = [call.body.get(name) for name in ("touser", "toparty", "totag", "agentid", "msgtype", kind)]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    at = call.state.value("SELECT at FROM app_message_hash WHERE hash = ?", digest)
    if at is not None and call.now - at < interval:
        return True
    call.state.insert("app_message_hash", hash=digest, at=call.now)
    return False


def is_flooded(call: Call, userid: str) -> bool:
    """Whether this member already got the minute's or the hour's share: the message is dropped silently."""
    limits = (
        (MINUTE, call.settings.member_messages_per_minute),
        (HOUR, call.settings.member_messages_per_hour),
    )
    return any(
        limit
        and call.state.value(
            "SELECT count(*) FROM app_message WHERE userid = ? AND at > ?", userid, call.now - length
        )
        >= limit
        for length, limit in limits
    )


@endpoint("message/send", write=True, raw_utf8=True, secrets=(APP,))
def message_send(call: Call) -> dict[str, Any]:
    """Deliver to each valid member. Duplicates and floods answer errcode 0 and reach nobody."""
    agent_id = call.number("agentid")
    if not agent_id:
        raise ApiError(40056)
    if agent_id != call.settings.agent_id:
        raise ApiError(301002)
    content = check_content(call)
    userids, invalid = receivers(call)
    msgid = new_id("", 43)
    answer = {**invalid, "unlicenseduser": "", "msgid": msgid}
    if content.response_code:
        answer["response_code"] = new_id("", 43)
    if is_duplicate(call):
        call.effect, call.note = False, "duplicate"
        return answer
    reached = [userid for userid in userids if not is_flooded(call, userid)]
    for userid in reached:
        call.state.insert(
            "app_message", at=call.now, userid=userid, msgid=msgid, kind=content.kind, title=content.title,
            text=content.text, url=content.url, body_json=dump(content.body),
        )  # fmt: skip
    if len(reached) < len(userids):
        call.note = f"dropped for {len(userids) - len(reached)}"
    call.effect = bool(reached)
    return answer
