"""Where a hand or a rule paints: footprints, outlines, regions. Arrays in, arrays out."""
