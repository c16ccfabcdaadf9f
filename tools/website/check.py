"""Checks the built site without a network: links lead somewhere, nothing comes from elsewhere.

    python -m tools.website.check build/docs

A link within the site needs its file and its anchor, one that leads out only a well-formed address.
What a page loads (scripts, styles, pictures, fonts) must be part of the site.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LINK = {"a": "href"}
_LOADED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}
_STYLE = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


class Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors = {""}
        self.links = list[str]()
        self.loaded = list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchor and the address of a tag."""
        given = {name: value for name, value in attrs if value is not None}
        self.anchors.add(given.get("id", ""))
        for addresses, names in ((self.links, _LINK), (self.loaded, _LOADED)):
            if (address := given.get(names.get(tag, ""))) is not None:
                addresses.append(address)


@cache
def read(path: Path) -> Page:
    """Read a page."""
    return Page(path.read_text(encoding="utf-8"))


def wrong_links(path: Path, site: Path) -> Iterator[str]:
    """Yield each link of a page that leads nowhere."""
    for link in read(path).links:
        address = urlsplit(link)
        if address.scheme in {"http", "https"}:
            if not re.fullmatch(r"[\w.-]+\.\w{2,}", address.netloc):
                yield f"{link}: not an address"
        elif address.scheme:
            yield f"{link}: not for a page"
        elif (wrong := _wrong_target(path, site, address.path, address.fragment)) is not None:
            yield f"{link}: {wrong}"


def _wrong_target(path: Path, site: Path, name: str, anchor: str) -> str | None:
    target = (path.parent / unquote(name)).resolve() if name else path
    if not target.is_relative_to(site):
        return "leads out of the site"
    if not target.is_file():
        return "no such file"
    if target.suffix == ".html" and unquote(anchor) not in read(target).anchors:
        return "no such anchor"
    return None


def wrong_sources(path: Path, site: Path) -> Iterator[str]:
    """Yield each file that a page or a style loads and that is not part of the site."""
    if path.suffix == ".css":
        found = [
            match[1] or match[2] for match in _STYLE.finditer(path.read_text(encoding="utf-8"))
        ]
    else:
        found = read(path).loaded
    for source in found:
        address = urlsplit(source)
        if address.scheme == "data" or source.startswith("#"):
            continue
        if address.scheme or address.netloc:
            yield f"{source}: comes from elsewhere"
        elif (wrong := _wrong_target(path, site, address.path, "")) is not None:
            yield f"{source}: {wrong}"


def problems(site: Path) -> list[str]:
    """Return everything that is wrong with a site, each with its page."""
    site = site.resolve()
    pages = sorted(site.rglob("*.html"))
    return [
        f"{path.relative_to(site)}: {wrong}"
        for check, paths in (
            (wrong_links, pages),
            (wrong_sources, [*pages, *sorted(site.rglob("*.css"))]),
        )
        for path in paths
        for wrong in check(path, site)
    ]


def main() -> int:
    """Check the site that is named; return the exit code."""
    site = Path(sys.argv[1])
    pages = sum(1 for _ in site.rglob("*.html"))
    found = problems(site)
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.stdout.write(f"{site}: {pages} pages, {len(found)} broken links\n")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
