"""What staff did with a contact: notes, calls and visits, with the next step. Owns ``followup``."""
