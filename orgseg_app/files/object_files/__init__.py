"""Files that hold the objects of images in other shapes than pixels: one module a format."""
