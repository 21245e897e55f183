"""Backups of the database, and bringing one back with the outbox paused. The encryption keys are never part of them."""
