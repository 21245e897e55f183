"""Read-only figures for dashboards and REST. Owns no table; nothing in ``scrm`` imports it."""
