"""The welcome message (path/92137)."""

from __future__ import annotations

from typing import Any

from bot.sandbox import welcome
from bot.sandbox.registry import Call, endpoint
from bot.sandbox.wecom_api.attachments import checked_content


@endpoint("externalcontact/send_welcome_msg", write=True, raw_utf8=True)
def send_welcome_msg(call: Call) -> dict[str, Any]:
    """Spend the code and put the welcome on the customer's phone. A refused content does not spend it."""
    code = call.need("welcome_code", 41049)
    userid, customer = welcome.pair_of_code(call.state, code, call.now)
    text, attachments = checked_content(call)
    welcome.spend_codes(call.state, userid, customer)
    welcome.put_message(call.state, userid, customer, "welcome", text, attachments)
    return {}
