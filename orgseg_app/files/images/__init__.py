"""Voxels in a project: layers, block formats, display pyramids, images linked from outside."""
