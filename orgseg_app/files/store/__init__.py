"""How a project file is kept: its lock, its journal, and saves that are whole or not at all."""
