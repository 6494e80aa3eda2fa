"""Objects in other shapes than pixels: runs, outlines, polygons, boxes; pure conversions."""
