"""All disk formats: projects, pictures, annotations, tables."""
