"""People who have not added anybody yet: made by REST, imported from a file, given an owner by routing.

Owns no table: a lead is a contact without a relation.
"""
