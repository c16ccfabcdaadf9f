"""Reading what a person wrote in YAML: a safe subset of it, nothing guessed, every problem with its place.

The parser's events are turned into values one after the other, never as a whole: so the first
problem of the file is the one that is reported, and a file made to hurt (an alias bomb, a thousand
brackets) is refused where it begins to.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Never, cast

import yaml
from yaml.resolver import Resolver

from dispute_fsm.documents.source import FieldPath, YamlText, field_name
from dispute_fsm.documents.source import quoted as _quoted
from dispute_fsm.domain.scalars import parse_instant
from dispute_fsm.errors import InputError

MAX_BYTES = 2 * 1024 * 1024
"""Largest file that is read: far above what a person writes, far below what could hurt."""

MAX_DEPTH = 30
"""Deepest nesting of lists and mappings; reading goes down with it, so it must end well before the stack does."""

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

# A hundred digits are beyond every number that is meant as one, and below what int() refuses to
# read.
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,99}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Wider than RFC 3339 on purpose: whatever is meant as a date with a time is an instant or an error,
# never a text.
_TIME = (
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]*)?)?"
)
_NAIVE = re.compile(_TIME)
_WITH_OFFSET = re.compile(_TIME + r"[ \t]*(?:[Zz]|[-+][0-9]{1,2}(?::?[0-9]{2})?)")

# What PyYAML, a reader of YAML 1.1, takes for text although YAML 1.2 or the letter of YAML 1.1 does
# not, and what differs from that by a hair: `tRUE`, `09:00`.
_NOT_ONLY_TEXT = re.compile(
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

_ONLY_TIMES = re.compile("(.+_)?(at|until)|holidays|workdays")
"""Fields that never hold a text: to put what stands there in quotes does not help."""


def read_yaml(text: bytes | str, file: str) -> YamlText:
    """Read the one document of a YAML file.

    Raises `InputError` with the file, the line and the field of the first problem.
    """
    return _Document(_decoded(text, file), file).read()


def read_file(path: Path) -> YamlText:
    """Read a YAML file. Raises `InputError` as `read_yaml` does and for what is no file, `OSError` where it cannot be read at all."""
    if path.is_dir() or not path.exists():
        raise InputError(
            "this is a folder, not a file" if path.is_dir() else "no such file", file=printed(path)
        )
    with path.open("rb") as stream:
        return read_yaml(stream.read(MAX_BYTES + 1), printed(path))


def printed(path: Path) -> str:
    """Write a file's name so that it can be printed; bytes of it that are no text come out as question marks."""
    return str(path).encode(errors="replace").decode()


def read_nodes(text: str) -> yaml.Node:
    """Give the nodes of a text that `read_yaml` takes: where in it each value begins and ends, and how it is written."""
    return cast("yaml.Node", yaml.compose(text, Loader=_LOADER))


def _decoded(text: bytes | str, file: str) -> str:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        msg = f"the file has more than {MAX_BYTES} bytes (2 MiB): shorten it or split it"
        raise InputError(msg, file=file)
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"not text in UTF-8 (byte 0x{error.object[error.start]:02x}): save the file as UTF-8"
        raise InputError(
            msg, file=file, line=error.object.count(b"\n", 0, error.start) + 1
        ) from error
    if found := _UNPRINTABLE.search(decoded):
        code = ord(found[0])
        msg = (
            f"holds the unprintable character U+{code:04X}: remove it, or write it in double "
            f"quotes as \\u{code:04x}"
        )
        raise InputError(msg, file=file, line=decoded.count("\n", 0, found.start()) + 1)
    return decoded


def _line(mark: object) -> int:
    # The parsers set every mark that is asked for here; only their type stubs leave it open.
    return cast("yaml.Mark", mark).line + 1


def _events(text: str, file: str) -> Iterator[yaml.Event]:
    """Parse step by step; what is not YAML at all becomes an `InputError`."""
    line = 1
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            line = _line(event.start_mark)
            if isinstance(event, yaml.ScalarEvent):
                event.value.encode()
            yield event
    except yaml.MarkedYAMLError as error:
        since = f", begun in line {_line(error.context_mark)}" if error.context_mark else ""
        context = f" {error.context}{since}" if error.context else ""
        msg = (
            f"not YAML: {error.problem}{context}; check indentation (spaces only), quotes and "
            "brackets here and above"
        )
        raise InputError(msg, file=file, line=_line(error.problem_mark)) from error
    except (ValueError, OverflowError) as error:
        # libyaml checks these itself; the parser in pure Python hands on half a surrogate pair and
        # breaks on the others.
        msg = (
            "not YAML: here or below, an escape names no character or a %YAML line no version; "
            "write the character itself"
        )
        raise InputError(msg, file=file, line=line) from error


def _naive(_: str) -> Never:
    msg = (
        "the time has no offset from UTC: write it as RFC 3339 with one, e.g. "
        "2023-03-28T10:00:00+08:00"
    )
    raise ValueError(msg)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = (
    (_WHOLE, int),
    (_DAY, date.fromisoformat),
    (_NAIVE, _naive),
    (_WITH_OFFSET, parse_instant),
)
"""The plain scalars that stand for something other than text, and how each is read (`ValueError`: not as it should be)."""


def _is_ambiguous(text: str) -> bool:
    tag = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False))
    return bool(tag != Resolver.DEFAULT_SCALAR_TAG or _NOT_ONLY_TEXT.fullmatch(text))


def _if_text(text: str, path: FieldPath) -> str:
    field = next((part for part in reversed(path) if isinstance(part, str)), "")
    return (
        ""
        if _ONLY_TIMES.fullmatch(field)
        else f"; if it is a text, put it in quotes: {_quoted(text)}"
    )


def _instead(text: str) -> str:
    """Say what else may have been meant: quotes do not help where the field takes no text."""
    if _YES_OR_NO.fullmatch(text):
        return ", or write true or false where that is asked for"
    return (
        ", or write a whole number in plain digits where one is asked for"
        if _NUMBER.fullmatch(text)
        else ""
    )


class _Document:
    """One pass over the events of one file."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._events = _events(text, file)
        self._lines: dict[FieldPath, int] = {}

    def read(self) -> YamlText:
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            msg = "the file is empty: there is nothing to read in it"
            raise InputError(msg, file=self._file)
        value = self._value(next(self._events), ())
        for event in self._events:  # the end of the document, and that of the stream
            if isinstance(event, yaml.DocumentStartEvent):
                self._refuse(
                    (
                        "a second document starts here: keep one, and put the other into a file "
                        "of its own"
                    ),
                    event,
                )
        return YamlText(value, self._lines)

    def _value(self, event: yaml.Event, path: FieldPath) -> object:
        self._lines.setdefault(
            path, _line(event.start_mark)
        )  # a member of a mapping already has the line of its key
        self._refuse_unsafe(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels: write it flatter", event, path)
        return (
            self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
        )

    def _list(self, path: FieldPath) -> list[object]:
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
                msg = (
                    f"the key {_quoted(key)} stands in line {self._lines[member]} already: keep "
                    "one of the two"
                )
                self._refuse(msg, event, member)
            self._lines[member] = _line(event.start_mark)
            members[key] = self._value(next(self._events), member)
        return members

    def _key(self, event: yaml.Event, path: FieldPath) -> str:
        self._refuse_unsafe(event, path)
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse("a list or a mapping cannot be a key: write a text", event, path)
        if event.value == "<<" and not event.style:
            self._refuse(
                "a merge key (<<) is not part of the safe subset of YAML: write the fields out",
                event,
                path,
            )
        key = self._scalar(event, path)
        if not isinstance(key, str):
            self._refuse(
                f"a key has to be a text: put it in quotes: {_quoted(event.value)}", event, path
            )
        return key

    def _scalar(self, event: yaml.ScalarEvent, path: FieldPath) -> object:
        text = event.value
        if event.style:  # quoted, or a block of lines
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        for form, read in _FORMS:
            if form.fullmatch(text):
                try:
                    return read(text)
                except ValueError as error:
                    self._refuse(f"{error}{_if_text(text, path)}", event, path)
        if _is_ambiguous(text):
            msg = (
                "not every reader of YAML takes this for a text: put it in quotes: "
                f"{_quoted(text)}{_instead(text)}"
                " (only null, true, false, whole numbers, dates and instants stand without)"
            )
            self._refuse(msg, event, path)
        return text

    def _refuse_unsafe(self, event: yaml.Event, path: FieldPath) -> None:
        # The text tells, not the event: libyaml drops the tag `!` from its events.
        start = cast("yaml.Mark", event.start_mark).index
        if unsafe := _UNSAFE.get(self._text[start : start + 1]):
            msg = (
                f"{unsafe} is not part of the safe subset of YAML: write the value out, in quotes "
                "if it is a text"
            )
            self._refuse(msg, event, path)

    def _refuse(self, message: str, event: yaml.Event, path: FieldPath = ()) -> Never:
        raise InputError(
            message, file=self._file, line=_line(event.start_mark), field=field_name(path) or None
        )
