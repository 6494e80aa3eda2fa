"""The canvas: showing an image with its mask, and painting on it."""
