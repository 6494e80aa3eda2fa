"""Tools: pointer events in, edits out.

A tool never touches a mask. It asks the session for a recorder while the hand is down, or hands it
a finished `Edit`; either way the act can be undone.
"""
