"""OrgSeg: paint a few masks, train networks in the background, compare them, export masks."""

__version__ = "0.1.0"
