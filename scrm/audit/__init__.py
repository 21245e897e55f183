"""Every change by a person, and every look at what is confidential: insert-only, chained by hashes, verifiable."""
