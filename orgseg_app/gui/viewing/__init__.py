"""Around the canvas: sections, planes, time, side by side, places remembered."""
