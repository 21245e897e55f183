"""What a rep is to do for a customer, and by when (待办)."""
