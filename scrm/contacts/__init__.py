"""Customers: the person, the identities we know them by, and their relations with staff.

Owns ``contact``, ``contact_identity``, ``relation``. A relation is one (staff, contact) pair as WeCom has it; losing
and regaining are states of it, rows are never deleted.
"""
