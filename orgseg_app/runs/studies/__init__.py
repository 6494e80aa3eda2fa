"""Studies: a grid of runs that answers a question, from its definition to its conclusions."""
