"""Long work that a person or the clock started: a row with progress, resumable after a crash. Owns ``job``."""
