"""What happened: one row per thing the platform told us, recorded before it is acknowledged.

Owns the table ``inbox``: record, claim, outcome, replay. Does not know what an event means (``handlers`` does).
"""
