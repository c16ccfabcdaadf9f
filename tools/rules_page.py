"""Writes the tables of the pages in docs/ from the chart, the policy and the vocabulary.

The tables are between the markers `<!-- begin NAME -->` and `<!-- end NAME -->`; everything else is
written by hand. With `--check`, the pages are compared and not changed.
"""

import argparse
import difflib
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dispute_fsm.domain.commands import DEFAULT_VERSION  # noqa: E402 -- after the path, which the next lines need
from dispute_fsm.rules.registry import VERSIONS  # noqa: E402
from tools import rules_tables, rules_tables_zh  # noqa: E402

DOCS = ROOT / "docs"
MARKED = re.compile(r"(<!-- begin ([a-z0-9-]+) -->\n).*?(<!-- end \2 -->\n)", re.DOTALL)
PREFIXES = {name: "" if name == DEFAULT_VERSION else f"{name}-" for name in VERSIONS}
"""What the markers of a rule version begin with; before it, those in Chinese have `zh-`."""


def tables() -> dict[str, str]:
    """Return every table by its marker: the name of its function, after the prefixes.

    The page of a version has no outcomes where they are those of the default version.
    """
    default = VERSIONS[DEFAULT_VERSION]
    found = dict[str, str]()
    for language, module in (("", rules_tables), ("zh-", rules_tables_zh)):
        found |= {f"{language}{write.__name__}": write() for write in module.OF_ALL}
        for name, prefix in PREFIXES.items():
            version = VERSIONS[name]
            for write in module.OF_A_VERSION:
                found[f"{language}{prefix}{write.__name__}"] = write(version)
            if version is default or version.outcomes != default.outcomes:
                outcomes = module.outcomes(version)
                found[f"{language}{prefix}outcomes"] = outcomes
    return found


def main() -> int:
    """Write or check the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; show differences")
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="DIR", help="folder of pages")
    arguments = parser.parse_args()
    written = tables()
    pages = {
        path: path.read_text(encoding="utf-8") for path in sorted(arguments.docs.rglob("*.md"))
    }
    marked = Counter(match[2] for text in pages.values() for match in MARKED.finditer(text))
    if wrong := [name for name in {**written, **marked} if marked[name] != (name in written)]:
        for name in wrong:
            place = f"<!-- begin {name} --> and <!-- end {name} -->"
            sys.stdout.write(
                f"{arguments.docs}: {marked[name]} pages have {place}; one has to\n"
                if name in written
                else f"{arguments.docs}: a page has {place}; there is no such table\n"
            )
        return 1
    differences = list[str]()
    for path, before in pages.items():
        after = MARKED.sub(
            lambda match: f"{match[1]}\n{written[match[2]].strip()}\n\n{match[3]}", before
        )
        differences += difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            str(path),
            "as the rules require",
            n=0,
        )
        if not arguments.check and after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
    if arguments.check and differences:
        sys.stdout.writelines([*differences, "out of date: run python tools/rules_page.py\n"])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
