"""Read what a person wrote in YAML: a safe subset, nothing guessed, every error with its line.

The parser's events are turned into values one after the other, never as a whole. So the first error
of the file is the one that is reported, and a malicious file (an alias bomb, a thousand brackets)
is refused at its beginning.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Never, cast

import yaml
from yaml.resolver import Resolver

from dispute_fsm.documents.source import FieldPath, YamlSource, field_name, quoted
from dispute_fsm.domain.scalars import parse_instant
from dispute_fsm.errors import InputError

MAX_BYTES = 2 * 1024 * 1024
"""The largest file that is read: far more than a person writes, far less than could do harm."""

MAX_DEPTH = 30
"""The deepest nesting of lists and mappings; reading is recursive, so the stack is the limit."""

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = (
    yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
)

# What YAML calls printable, without the byte order mark: within a file, some parsers skip it and
# some keep it.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

_UNSAFE = {"&": "an anchor (&)", "*": "an alias (*)", "!": "a tag (!)"}
_CONSTANTS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "false": False,
}

# A hundred digits are more than any number that somebody means, and fewer than int() refuses.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,99}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Wider than RFC 3339 on purpose: what looks like a date with a time is an instant or an error,
# never a string.
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]*)?)?"
    r"(?:[ \t]*(?:[Zz]|[-+][0-9]{1,2}(?::?[0-9]{2})?))?"
)

# What PyYAML, which reads YAML 1.1, takes for a string although YAML 1.2 or the specification of
# YAML 1.1 does not, and what differs only slightly from that: `tRUE`, `09:00`.
_AMBIGUOUS = re.compile(
    r"""(?i: y|yes|n|no|on|off|true|false|null )
    | [-+]? 0o[0-7]+
    | [-+]? (?: [0-9]+ (?:\.[0-9]*)? | \.[0-9]+ ) (?:[eE][-+]?[0-9]+)?
    | [-+]? [0-9][0-9_]* (?: :[0-5]?[0-9] )+ (?:\.[0-9_]*)?
    """,
    re.VERBOSE | re.ASCII,
)
_YAML_1_1: Any = Resolver()  # Any: its methods carry no types

_YES_OR_NO = re.compile("(?i:y|yes|n|no|on|off|true|false)")
_NUMBER = re.compile(r"[-+]?\.?[0-9][^:]*|[-+]?\.(?i:inf)|\.(?i:nan)")

_TIME_FIELD = re.compile("(.+_)?(at|until)|holidays|workdays")
"""Fields that are never a string, so that advice to quote the value would be wrong."""


def read_yaml(text: bytes | str, file: str) -> YamlSource:
    """Read the one document of a YAML file.

    Raises `InputError` with the file, the line and the field of the first error.
    """
    return _Document(_decoded(text, file), file).read()


def read_file(path: Path) -> YamlSource:
    """Read a YAML file.

    Raises `InputError` as `read_yaml` does and if the path is not a file, `OSError` if the file
    cannot be read.
    """
    # Bytes of the name that are not UTF-8 are printed as question marks.
    file = str(path).encode(errors="replace").decode()
    if path.is_dir():
        raise InputError("this is a folder, not a file", file=file)
    if not path.exists():
        raise InputError("no such file", file=file)
    with path.open("rb") as stream:
        return read_yaml(stream.read(MAX_BYTES + 1), file)


def read_nodes(text: str) -> yaml.Node:
    """Return the nodes of a text that `read_yaml` accepts: where each value begins and ends."""
    return cast("yaml.Node", yaml.compose(text, Loader=_LOADER))


def _decoded(text: bytes | str, file: str) -> str:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        raise InputError(
            f"the file has more than {MAX_BYTES} bytes (2 MiB): shorten it or split it", file=file
        )
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"not UTF-8 (byte 0x{error.object[error.start]:02x}): save the file as UTF-8",
            file=file,
            line=line,
        ) from error
    if match := _UNPRINTABLE.search(decoded):
        code = ord(match[0])
        raise InputError(
            f"unprintable character U+{code:04X}: remove it, or write it in double quotes as "
            f"\\u{code:04x}",
            file=file,
            line=decoded.count("\n", 0, match.start()) + 1,
        )
    return decoded


def _line(mark: object) -> int:
    # The parsers set every mark that is used here; only their type stubs leave it open.
    return cast("yaml.Mark", mark).line + 1


def _events(text: str, file: str) -> Iterator[yaml.Event]:
    """Parse step by step. Raises `InputError` where the text is not YAML."""
    line = 1
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            line = _line(event.start_mark)
            if isinstance(event, yaml.ScalarEvent):
                event.value.encode()
            yield event
    except yaml.MarkedYAMLError as error:
        start = f", begun in line {_line(error.context_mark)}" if error.context_mark else ""
        context = f" {error.context}{start}" if error.context else ""
        raise InputError(
            f"not YAML: {error.problem}{context}; check indentation (spaces only), quotes and "
            "brackets here and above",
            file=file,
            line=_line(error.problem_mark),
        ) from error
    except (ValueError, OverflowError) as error:
        # libyaml checks these itself; the parser in pure Python passes on half a surrogate pair and
        # fails on the others.
        raise InputError(
            "not YAML: invalid escape or %YAML version here or below; write the character itself",
            file=file,
            line=line,
        ) from error


_SCALARS: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = (
    (_INTEGER, int),
    (_DATE, date.fromisoformat),
    (_INSTANT, parse_instant),
)
"""The plain scalars that are not strings, and the function that reads each (`ValueError`)."""


def _quoting_advice(text: str, path: FieldPath) -> str:
    field = next((part for part in reversed(path) if isinstance(part, str)), "")
    if _TIME_FIELD.fullmatch(field):
        return ""
    return f"; if it is a string, put it in quotes: {quoted(text)}"


def _alternative(text: str) -> str:
    """Return what else the author may have meant, for a field that is not a string."""
    if _YES_OR_NO.fullmatch(text):
        return ", or write true or false if that is expected"
    if _NUMBER.fullmatch(text):
        return ", or write an integer in plain digits if one is expected"
    return ""


class _Document:
    """Reads the events of one file, in one pass."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._events = _events(text, file)
        self._lines: dict[FieldPath, int] = {}

    def read(self) -> YamlSource:
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise InputError("the file is empty", file=self._file)
        value = self._value(next(self._events), ())
        for event in self._events:  # the end of the document, and that of the stream
            if isinstance(event, yaml.DocumentStartEvent):
                self._reject("a second document starts here: put it into its own file", event)
        return YamlSource(self._file, value, self._lines)

    def _value(self, event: yaml.Event, path: FieldPath) -> object:
        # A member of a mapping already has the line of its key.
        self._lines.setdefault(path, _line(event.start_mark))
        self._reject_unsafe(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            self._reject(f"nested deeper than {MAX_DEPTH} levels: write it flatter", event, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        values: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, (*path, len(values))))
        return values

    def _mapping(self, path: FieldPath) -> dict[str, object]:
        members: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            member = (*path, key)
            if key in members:
                self._reject(
                    f"duplicate key {quoted(key)}, first used in line {self._lines[member]}: keep "
                    "one of the two",
                    event,
                    member,
                )
            self._lines[member] = _line(event.start_mark)
            members[key] = self._value(next(self._events), member)
        return members

    def _key(self, event: yaml.Event, path: FieldPath) -> str:
        self._reject_unsafe(event, path)
        if not isinstance(event, yaml.ScalarEvent):
            self._reject("a list or a mapping cannot be a key: write a string", event, path)
        if event.value == "<<" and not event.style:
            self._reject(
                "a merge key (<<) is not part of the safe subset of YAML: write the fields out",
                event,
                path,
            )
        key = self._scalar(event, path)
        if not isinstance(key, str):
            self._reject(
                f"a key must be a string: put it in quotes: {quoted(event.value)}", event, path
            )
        return key

    def _scalar(self, event: yaml.ScalarEvent, path: FieldPath) -> object:
        text = event.value
        if event.style:  # quoted, or a block of lines
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        for pattern, read in _SCALARS:
            if pattern.fullmatch(text):
                try:
                    return read(text)
                except ValueError as error:
                    self._reject(f"{error}{_quoting_advice(text, path)}", event, path)
        tag = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False))
        if tag != Resolver.DEFAULT_SCALAR_TAG or _AMBIGUOUS.fullmatch(text):
            self._reject(
                "not every YAML reader takes this for a string: put it in quotes: "
                f"{quoted(text)}{_alternative(text)}"
                " (only null, true, false, integers, dates and instants need no quotes)",
                event,
                path,
            )
        return text

    def _reject_unsafe(self, event: yaml.Event, path: FieldPath) -> None:
        # Checked in the text, not in the event: libyaml drops the tag `!` from its events.
        start = cast("yaml.Mark", event.start_mark).index
        if unsafe := _UNSAFE.get(self._text[start : start + 1]):
            self._reject(
                f"{unsafe} is not part of the safe subset of YAML: write the value out, in quotes "
                "if it is a string",
                event,
                path,
            )

    def _reject(self, message: str, event: yaml.Event, path: FieldPath = ()) -> Never:
        raise InputError(
            message, file=self._file, line=_line(event.start_mark), field=field_name(path) or None
        )
