"""Showing the same patch in many guises."""
