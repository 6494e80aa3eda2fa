"""Notes in a file what any Python process does with sockets; Python imports it by its name.

In force where this folder is in ``PYTHONPATH`` and ``NETWORK_WATCH`` names the file: in the window,
and in every process that it starts.
"""

import os
import sys

_NOTED = ("socket.__new__", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
_NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "urllib.Request")


def _watch(place: str) -> None:
    # Opened now: some children may open nothing once they have begun.
    descriptor = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    arguments = " ".join(sys.orig_argv[1:])[:200].replace("\n", " ")
    os.write(descriptor, f"started {os.getpid()} {arguments}\n".encode())

    def note(event: str, facts: tuple[object, ...]) -> None:
        if event in _NOTED or event in _NAMES:
            text = f"{event} {os.getpid()} {arguments} {facts!r}".replace("\n", " ")
            try:
                os.write(descriptor, f"{text}\n".encode())
            except OSError:
                pass

    sys.addaudithook(note)


if os.environ.get("NETWORK_WATCH"):
    _watch(os.environ["NETWORK_WATCH"])
