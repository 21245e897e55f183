"""Tokens, tickets, OAuth codes and the platform's addresses (path/91039, 90506, 91023, 92521)."""

from __future__ import annotations

import hashlib
from typing import Any

from bot.sandbox import tokens
from bot.sandbox.errors import ApiError
from bot.sandbox.people import find_staff
from bot.sandbox.registry import APP, CONTACT, Call, endpoint
from bot.sandbox.state import new_id

TICKET_LENGTH = 86


@endpoint("gettoken", method="GET", auth=False)
def gettoken(call: Call) -> dict[str, Any]:
    """The live token of the secret; the same one while it is valid, with the seconds it has left."""
    corp_id = call.param("corpid", 41002)
    secret = call.param("corpsecret", 41004)
    if corp_id != call.settings.corp_id:
        raise ApiError(40013)
    kinds = {call.settings.contact_secret: CONTACT, call.settings.secret: APP}
    if secret not in kinds:
        raise ApiError(40001)
    token, left = tokens.issue_token(call.state, kinds[secret], call.now, call.settings.token_ttl_s)
    return {"access_token": token, "expires_in": left}


def issue_ticket(call: Call, kind: str) -> dict[str, Any]:
    """The live JS-SDK ticket of this kind; the same one while it is valid."""
    row = call.state.one("SELECT * FROM ticket WHERE kind = ? AND expires_at >= ?", kind, call.now + 1)
    if row is not None:
        return {"ticket": row["code"], "expires_in": int(row["expires_at"] - call.now)}
    ticket = new_id("", TICKET_LENGTH)
    call.state.insert(
        "ticket", code=ticket, kind=kind, owner="", expires_at=call.now + call.settings.ticket_ttl_s
    )
    return {"ticket": ticket, "expires_in": call.settings.ticket_ttl_s}


@endpoint("get_jsapi_ticket", method="GET")
def corp_ticket(call: Call) -> dict[str, Any]:
    """The corp's ticket, for wx.config."""
    return issue_ticket(call, "corp_ticket")


@endpoint("ticket/get", method="GET", secrets=(APP,))
def app_ticket(call: Call) -> dict[str, Any]:
    """The app's ticket, for wx.agentConfig."""
    if call.query.get("type") != "agent_config":
        raise ApiError(91040)
    return issue_ticket(call, "app_ticket")


def spend_code(call: Call) -> str:
    """Whose OAuth code this is: a userid, or an outsider's external_userid. One use, five minutes."""
    code = call.param("code", 41008)
    row = call.state.one("SELECT * FROM ticket WHERE code = ? AND kind = 'oauth'", code)
    if row is None:
        raise ApiError(40029)
    if row["spent"]:
        raise ApiError(42022)
    if row["expires_at"] <= call.now:
        raise ApiError(42003)
    call.state.run("UPDATE ticket SET spent = 1 WHERE code = ?", code)
    owner: str = row["owner"]
    return owner


def outsider(call: Call, customer: str) -> dict[str, Any]:
    """Somebody who is no member: an openid, and the external_userid of one whom a member follows."""
    followed = call.state.value("SELECT 1 FROM relation WHERE customer = ?", customer)
    openid = f"o{hashlib.sha256(customer.encode()).hexdigest()[:27]}"
    return {"openid": openid, **({"external_userid": customer} if followed else {})}


@endpoint("auth/getuserinfo", method="GET", secrets=(APP,))
def getuserinfo(call: Call) -> dict[str, Any]:
    """The member who signed in, or the outsider."""
    owner = spend_code(call)
    is_member = find_staff(call.state, owner) is not None
    return {"userid": owner} if is_member else outsider(call, owner)


@endpoint("user/getuserinfo", method="GET", secrets=(APP,))
def getuserinfo_old(call: Call) -> dict[str, Any]:
    """The older alias, with capitals."""
    owner = spend_code(call)
    if find_staff(call.state, owner) is not None:
        return {"UserId": owner, "DeviceId": ""}
    return {"OpenId": outsider(call, owner)["openid"], "DeviceId": ""}


@endpoint("getcallbackip", method="GET")
def getcallbackip(_call: Call) -> dict[str, Any]:
    """Addresses callbacks come from."""
    return {"ip_list": ["127.0.0.1"]}


@endpoint("get_api_domain_ip", method="GET")
def get_api_domain_ip(_call: Call) -> dict[str, Any]:
    """Addresses of the API."""
    return {"ip_list": ["127.0.0.1"]}
