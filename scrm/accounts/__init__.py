"""Who works here: staff and departments as WeCom has them, API tokens, corp-wide settings."""
