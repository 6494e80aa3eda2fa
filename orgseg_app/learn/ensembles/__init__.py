"""Several models as one: reading them, choosing how many, and what they may be judged on."""
