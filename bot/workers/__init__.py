"""Threads that claim rows: events to handle, calls to make."""
