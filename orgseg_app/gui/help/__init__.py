"""Pages and dialogs of help."""
