"""The SCRM core: tables and rules, no web framework, no platform SDK, no broker.

Layers, imports point down only::

    reports
    sync
    leads
    routing
    channels
    followups  tags
    contacts
    accounts
    outbox
    inbox  jobs
    timeline
    leases  seal
    db
    clock  errors  ids
"""
