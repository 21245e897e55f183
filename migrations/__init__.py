"""Alembic migrations; run by ``lianke migrate`` and, in embedded mode, at every start."""
