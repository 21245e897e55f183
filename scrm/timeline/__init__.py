"""Every touch of a customer, in one append-only list. Owns the table ``timeline_entry``; never updates a row."""
