"""Who is responsible, and why. Owns ``assignment``: each change of owner with its reason; never updated."""
