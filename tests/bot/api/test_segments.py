"""Segments and searches over REST."""

from __future__ import annotations

from scrm.accounts.models import Account
from scrm.accounts.roles import Reach, Role
from scrm.segments.models import Segment


def test_shared_segments_are_listed_by_pages_and_private_ones_are_not(world, make):
    account = Account(name="店长", role=Role.ADMIN, reach=Reach.ALL, created_at=world.now)
    make.rows(account)
    for n, is_shared in enumerate((True, False, True, True)):
        kept = {"query": {"q": ["李"]}, "created_at": world.now, "updated_at": world.now}
        make.rows(Segment(id=f"01S{n}", account_id=account.id, name=f"人群{n}", is_shared=is_shared, **kept))

    first = world.get("/segments?limit=2").json
    second = world.get(f"/segments?limit=2&cursor={first['next_cursor']}").json

    assert [row["name"] for row in first["items"]] == ["人群0", "人群2"]
    assert second == {
        "items": [
            {
                "id": "01S3",
                "name": "人群3",
                "query": {"q": "李"},
                "created_at": "2026-11-23T02:00:00Z",
                "updated_at": "2026-11-23T02:00:00Z",
            }
        ],
        "next_cursor": None,
    }


def test_contacts_are_found_by_pinyin_and_initials(world, make):
    made = make.contact("李雷")
    make.contact("韩梅梅")

    for q in ("lilei", "Li", "ll"):
        assert [row["id"] for row in world.get(f"/contacts?q={q}").json["items"]] == [made.id], q
