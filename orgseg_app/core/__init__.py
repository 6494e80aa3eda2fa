"""The nouns and the edits: images, classes, masks, strokes, scores. No Qt, no torch, no disk."""
