"""Lists of contacts: by one tag and by what else, page by page, and by letters for those who type pinyin."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts import queries
from scrm.contacts.models import Contact, Relation, Stage
from scrm.contacts.queries import ContactFilter, count_contacts, list_contacts, typed_letters
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from tests.conftest import NOW

pytestmark = pytest.mark.every_engine


class Book:
    """Two reps, two tags, and as many contacts as a test wants."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.reps = [self.add(Staff(userid=name, name=name, updated_at=NOW)) for name in ("a", "b")]
        group = self.add(TagGroup(name="意向"))
        self.high, self.low = (self.add(Tag(group_id=group.id, name=name)) for name in ("高", "低"))

    def add(self, row):
        self.session.add(row)
        self.session.flush()
        return row

    def contact(self, name: str, *tags: Tag, at: datetime = NOW, by: int = 1, **more) -> Contact:
        """A contact whom the first ``by`` reps gave these tags."""
        made = self.add(Contact(name=name, created_at=at, **more))
        for rep in self.reps[:by]:
            self.add(Relation(contact_id=made.id, staff_id=rep.id, event_at=at, added_at=at))
            for tag in tags:
                held = {"source": TagSource.STAFF, "set_at": NOW, "contact_at": at}
                self.add(ContactTag(contact_id=made.id, tag_id=tag.id, staff_id=rep.id, **held))
        return made

    def names(self, **which) -> list[str]:
        """All that are found, by pages of two; the count says the same."""
        asked, found, before = ContactFilter(**which), [], None
        while page := list_contacts(self.session, asked, before=before, limit=2):
            found += page
            before = page[-1].created_at, page[-1].id
        assert count_contacts(self.session, asked, most=100) == len(found)
        return [row.name for row in found]


@pytest.fixture
def book(session: Session) -> Book:
    return Book(session)


@pytest.fixture(params=[queries.FEW, 0], ids=["few", "many"])
def few(request, monkeypatch):
    """Both ways: what is few is fetched first; nothing is few."""
    monkeypatch.setattr(queries, "FEW", request.param)


def hours(n: int) -> datetime:
    return NOW - timedelta(hours=n)


@pytest.mark.usefixtures("few")
def test_those_with_one_tag_come_newest_first_and_each_once(book: Book):
    book.contact("oldest", book.high, at=hours(9), by=2)
    book.contact("without", book.low, at=hours(5))
    ties = [book.contact(name, book.high, book.low, at=hours(3), by=2) for name in ("x", "y", "z")]
    book.contact("newest", book.high, at=hours(1))
    tied = [row.name for row in sorted(ties, key=lambda row: row.id, reverse=True)]

    assert book.names(tag_ids=[book.high.id]) == ["newest", *tied, "oldest"]
    assert book.names(tag_ids=[book.high.id, book.high.id]) == ["newest", *tied, "oldest"]
    assert book.names(tag_ids=[book.high.id, book.low.id]) == ["newest", *tied, "without", "oldest"]
    assert book.names(tag_ids=[]) == []


@pytest.mark.usefixtures("few")
def test_a_tag_and_other_conditions_hold_together(book: Book):
    mine = {"owner_id": book.reps[0].id}
    book.contact("李雷", book.high, at=hours(4), stage=Stage.MQL, **mine)
    book.contact("李四", book.high, at=hours(2), by=2)
    book.contact("王五", book.high, book.low, at=hours(1), **mine)
    book.contact("李梅", book.low, **mine)
    tagged = {"tag_ids": [book.high.id]}

    assert book.names(**tagged, **mine) == ["王五", "李雷"]
    assert book.names(**tagged, stage=Stage.MQL) == ["李雷"]
    assert book.names(**tagged, q="李") == ["李四", "李雷"]
    assert book.names(**tagged, created_from=hours(2)) == ["王五", "李四"]
    assert book.names(**tagged, created_to=hours(2)) == ["李雷"]
    assert book.names(**tagged, added=queries.Added(book.reps[1].id)) == ["李四"]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("zhangs", ["张三"]),
        ("Zhang San", ["张三"]),
        ("zs", ["赵四", "张三"]),
        ("z", ["Zoe", "赵四", "张三"]),
        ("zoe", ["Zoe"]),
        ("hang", []),
        ("张s", []),
        ("z3", []),
    ],
)
def test_letters_find_the_beginning_of_pinyin_and_of_initials(book: Book, q: str, found: list[str]):
    for n, name in enumerate(("张三", "赵四", "Zoe", "李雷")):
        book.contact(name, at=hours(9 - n))

    assert book.names(q=q) == found


def test_letters_are_typed_in_any_case_and_with_blanks():
    assert typed_letters(" Zhang  San ") == "zhangsan"
    assert [typed_letters(text) for text in ("", "张", "z1", "é")] == [None] * 4
