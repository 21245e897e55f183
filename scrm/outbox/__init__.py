"""What we owe the platform: one row per API call, saved with the change that caused it.

Owns ``outbox`` and ``outbox_attempt``: enqueue, claim, outcome. ``commands`` declares each call we can owe.
Knows no HTTP: ``bot.workers.outbox_worker`` sends.
"""
