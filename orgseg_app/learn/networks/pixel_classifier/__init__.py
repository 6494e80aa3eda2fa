"""The instant pixel classifier: filters at several scales, and trees that judge each pixel."""
