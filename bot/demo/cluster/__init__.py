"""``lianke demo --cluster``: the same made-up company on a database server and Redis, in the processes of a cluster.

Owns ``var/cluster/``, ``var/sandbox-….db`` and, with the embedded demo, ``var/demo.json``; on the servers the database
it was given, which it makes when it is missing. The embedded demo's files are read and never written.
"""
