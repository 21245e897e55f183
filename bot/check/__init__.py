"""The doctor behind ``lianke check``: looks at everything, changes nothing, says in plain words what to do.

``findings`` is what is said, ``doctor`` the order of the checks; the other modules hold the checks by subject.
"""
