"""HTML in small pieces: everything that is text is escaped, numbers keep their full value.

A number is a ``<data>`` element: people read three digits, programs (and the test that compares
report and table) read all of them from its ``value``, and what it is from ``data-of``.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Sequence
from html import escape

Html = str
"""Text that is markup already."""


def words(text: object) -> Html:
    """Any text, harmless."""
    cleaned = "".join(c for c in str(text) if c in "\n\t" or (c >= " " and not _is_half(c)))
    return escape(cleaned, quote=True)


def _is_half(character: str) -> bool:
    """A surrogate, which no encoding takes, or a control character."""
    return "\ud800" <= character <= "\udfff" or "\x7f" <= character <= "\x9f"


def number(value: float | None, of: str, places: int = 3) -> Html:
    """A figure, with what it is, such as ``"3f2a… pooled iou ER"``; "–" where there is none."""
    if value is None:
        return f'<data value="" data-of="{words(of)}">–</data>'
    text = f"{value:.{places}f}"
    text = text.replace("-", "" if not float(text) else "−")
    return f'<data value="{value!r}" data-of="{words(of)}">{text}</data>'


def tag(name: str, inside: Html, kind: str = "", **more: str) -> Html:
    """An element; `kind` is its class, further attributes are escaped."""
    listed = f' class="{kind}"' if kind else ""
    listed += "".join(f' {key.rstrip("_")}="{words(value)}"' for key, value in more.items())
    return f"<{name}{listed}>{inside}</{name}>"


def paragraph(text: str, kind: str = "") -> Html:
    """A paragraph of plain text."""
    return tag("p", words(text), kind)


def heading(text: str, level: int = 2, anchor: str = "") -> Html:
    """A heading of plain text."""
    return tag(f"h{level}", words(text), **({"id": anchor} if anchor else {}))


def listing(texts: Iterable[str], *, ordered: bool = False, kind: str = "") -> Html:
    """A list of plain texts."""
    return tag("ol" if ordered else "ul", "".join(tag("li", words(t)) for t in texts), kind)


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Html]],
    *,
    caption: str = "",
    kind: str = "",
    row_kinds: Sequence[str] = (),
    texts: Collection[int] = (),
) -> Html:
    """A table: its heads are plain texts, its cells markup; the first cell of a row is its head.

    Columns in `texts` are set to the left, as the first one is; others hold numbers.
    """
    parts = [tag("caption", words(caption))] if caption else []
    kinds = ["text" if place in texts else "" for place in range(len(heads))]
    head = "".join(
        tag("th", words(title), kind, scope="col") for title, kind in zip(heads, kinds, strict=True)
    )
    parts.append(tag("thead", tag("tr", head)))
    body = []
    for place, row in enumerate(rows):
        cells = tag("th", row[0], scope="row")
        cells += "".join(tag("td", c, k) for c, k in zip(row[1:], kinds[1:], strict=True))
        body.append(tag("tr", cells, row_kinds[place] if row_kinds else ""))
    parts.append(tag("tbody", "\n".join(body)))
    return tag("div", tag("table", "\n".join(parts), kind), "wide")


def picture(png: bytes, about: str) -> Html:
    """A PNG file inside the page."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{words(about)}" src="data:image/png;base64,{data}">'


def figure(inside: Html, caption: str, number: int) -> Html:
    """A drawing with its caption below."""
    below = tag("figcaption", tag("b", f"Figure {number}.") + " " + words(caption))
    return tag("figure", inside + below)


def page(title: str, style: str, body: Html) -> Html:
    """A whole document that needs nothing beside itself."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{words(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
