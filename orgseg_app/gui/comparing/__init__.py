"""The Compare workspace: which run is better, by how much, where, and is it luck."""
