"""Filters of the customer list that people keep under a name (人群)."""
