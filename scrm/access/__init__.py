"""Who asks, and what they may see: one place below all views. A session limited to an actor knows no other rows."""
