"""Checking a project, backups of what people made, and bringing it back."""
