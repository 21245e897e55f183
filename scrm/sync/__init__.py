"""Reconciliation: what the platform says is read page by page, each page an event, and our tables follow.

Owns no table. ``rules`` reads pages, ``contacts`` and ``ways`` apply them, ``service`` starts and ends the job.
``bot.workers.sync`` does the reading; ``handlers.sync_pages`` hands the pages to this package.
"""
