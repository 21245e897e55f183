"""Channel codes (渠道活码): who serves, when, up to how many; what greets; which tags; what it costs and brings.

Owns ``channel`` and its parts, ``channel_code`` (the contact way on the platform), ``scan``, ``media_file``.
"""
