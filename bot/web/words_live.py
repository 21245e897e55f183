"""Words of pages that keep up, of trying an event, of comments, and of codes in batches: key → (Chinese, English)."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # --- pages that keep up
    "live_news": ("有 {n} 条新动态", "{n} new"),
    "live_changed": ("内容有更新，点此查看", "Something changed. Show it"),
}
