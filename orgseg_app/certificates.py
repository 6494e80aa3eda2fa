"""Whom an HTTPS connection trusts: those whom the system trusts, also in the frozen app.

Standard library only; imported where somebody has asked for a connection.
"""

from __future__ import annotations

import contextlib
import ssl

_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip
"""Where systems keep their certificates; the frozen app's OpenSSL knows one of these only."""


def trusted_context() -> ssl.SSLContext:
    """A context that checks who the server is."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        for place in _PLACES:
            with contextlib.suppress(OSError):
                context.load_verify_locations(place)
                break
    return context
