"""How the window looks: colours, type, icons, the small widgets that everything is made of."""
