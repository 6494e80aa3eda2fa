"""Projects as files: opening, bringing in and giving out, backups, links, room on the disk."""
