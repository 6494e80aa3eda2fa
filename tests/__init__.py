"""OrgSeg's tests: ``python3 -m tests`` passes all, ``python3 -m tests tests/core`` some."""
