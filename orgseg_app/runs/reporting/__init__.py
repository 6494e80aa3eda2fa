"""Reports of comparisons and studies: pages, tables, figures, methods and model cards."""
