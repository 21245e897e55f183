"""What the sidebar and the console both show of one contact: the head, the stream of what happened, the follow-up form.

Values only: each page has templates of its own.
"""
