"""``/console/followups/<id>/comments``: a word to the rep about a follow-up."""

from __future__ import annotations

from flask import Response, request

from bot.web.console.door import LONGEST_NONCE, Console, Visit, see_other
from bot.web.contact import forms
from bot.web.contact.forms import Claim, Draft
from scrm.accounts.models import Staff
from scrm.errors import Invalid
from scrm.followups import comments
from scrm.followups.comments import Author, Notice


def register(console: Console) -> None:
    """Put the form at ``/console/followups/<id>/comments``."""

    @console.post("/followups/<followup_id>/comments", "followups.write")
    def comment_followup(visit: Visit, followup_id: str) -> Response:
        return _comment(visit, followup_id)


def _comment(visit: Visit, followup_id: str) -> Response:
    """Keep it, once, and go back to where it was written."""
    text, nonce = forms.clean(request.form.get("text", "")), request.form.get("nonce", "")[:LONGEST_NONCE]
    draft = Draft(content=text)
    try:
        with visit.write() as session:
            followup = comments.find_followup(session, followup_id)
            contact_id = followup.contact_id
            claimed = forms.claim(
                session,
                f"comment:{followup_id}:{nonce}:{draft.fingerprint[:16]}",
                visit.entered.account.id,
                draft,
                now=visit.now,
            )
            if claimed is Claim.FIRST:
                corp, rep = visit.site.corp, comments.writer_of(session, followup)
                notice = Notice(corp.agent_id, corp.profile_url(contact_id, rep.userid, now=visit.now))
                me = session.get(Staff, visit.actor.staff_id) if visit.actor.staff_id else None
                actor = f"staff:{me.userid}" if me else f"account:{visit.actor.name}"
                author = Author(actor, visit.actor.name, visit.actor.staff_id)
                made = comments.add_comment(
                    session, followup, text=text, author=author, notice=notice, now=visit.now
                )
                visit.record(session, "followup:commented", "followup", followup_id, comment=made.id)
    except Invalid:
        return _back(visit, followup_id, wrong="comment")
    visit.site.wake()
    return _back(visit, followup_id, contact_id=contact_id)


def _back(visit: Visit, followup_id: str, *, contact_id: str = "", wrong: str = "") -> Response:
    """The contact's follow-ups or the log, at the follow-up."""
    told = {"wrong": wrong} if wrong else {}
    home = request.form.get("contact", "") or ""
    if home and (not contact_id or home == contact_id):
        url = visit.url("contact_page", contact_id=home, tab="followups", **told)
    else:
        url = visit.url("followup_log", **told)
    return see_other(f"{url}#f-{followup_id}")
