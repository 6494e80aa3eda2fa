"""A diagnostic report: what helps to find a fault, without images, names and places."""
