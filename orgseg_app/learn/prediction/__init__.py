"""Using a model: tiles, whole images, folders, scores."""
