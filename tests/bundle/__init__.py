"""What is given away, tried where nothing of ours is: not collected by pytest, run by hand.

``python tests/bundle/clean_machine.py``: the ``.deb`` in a bare Debian, from its menu entry to its
removal. ``python tests/bundle/frozen.py``: the frozen folder on this computer.
"""
