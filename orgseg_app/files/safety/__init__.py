"""What comes from strangers is looked at in a child process before anything in it is used."""
