"""The child process that learns and predicts: everything that needs torch. No Qt."""
