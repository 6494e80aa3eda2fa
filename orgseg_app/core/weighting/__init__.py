"""How much each voxel is to count in training: made from what is painted, or from mistakes."""
