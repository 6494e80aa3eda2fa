"""How large, how long, how bright, how shaped: objects and classes of one image in numbers."""
