"""What a run learns from: annotated planes, and patches of them."""
