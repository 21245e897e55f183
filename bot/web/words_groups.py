"""Words of the pages of group chats: the console's and the sidebar's."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "kind_group": ("客户群", "Groups"),
}
