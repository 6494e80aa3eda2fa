"""The verbs of the command line, one module a family; what is slow is imported inside them."""
