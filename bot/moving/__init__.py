"""Move a whole installation from one database to another, whatever their kinds: checked, and resumed after a kill."""
