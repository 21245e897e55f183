"""The sandbox's control interface, ``/sandbox/…``: what people do on the real platform, and what a judge reads.

Fixed by design.md ("The sandbox"): scan, leave, remove, customers, ledger, faults, resend, clock, reset. Ours beside:

- the customer: half (added, not yet confirmed), accept (a code with verification), chat;
- the rep: edit, transfer (the customer's answer), app_message, app_event; oauth (a login
  code) and sidebar (opens it) in ``sign_in.py``;
- group chats: groups (create), groups/{chat_id}/join, leave, rename, notice, owner, dismiss;
- the console: staff_change, department_change, tag_change, verify (saving the callback page);
- the workings: load, calls, callbacks, tokens/expire;
- to look at: staff, departments, tags, ways, qr/{config_id}.png or .svg, media/{media_id}.

Every call that fires a callback takes ``"mode": "async"`` (do not wait), ``"lost": true`` (never send it) and
``"delay_ms"``; scan and half also ``"staff"``, ``"no_code"``, ``"rival"`` (another app spends the code first) and, for
a new customer, ``"gender"``, ``"avatar"``, ``"unionid"``; scan also ``"half"`` and ``"accept"``.

Errors are ``{"error": {"code", "message"}}`` with 400 or 404 and a message in Chinese. Importing the package
registers every route.
"""

from bot.sandbox.control import (  # noqa: F401 - imported to register their routes
    console,
    groups,
    rep,
    scan,
    views,
    workings,
)
