"""OrgSeg's tests; ``python3 -m tests`` runs them all, ``python3 -m tests tests/core -k mask`` some."""
