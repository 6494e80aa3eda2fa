"""What every plane goes through before a network sees it."""
