"""What somebody else made of the project's images: another program's masks, a second person's."""
