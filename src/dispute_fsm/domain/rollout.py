"""Gradual release (灰度): the merchant's id decides which rule version a dispute opens under.

A merchant on the deny list keeps the older version, a merchant on the allow list gets the newer.
Every other merchant has a fixed bucket, and gets the newer version once the current percentage is
above it. So raising the percentage moves merchants to the newer version and none back. Percentages
are exact: a bucket is a hundredth of a percent.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, NamedTuple, Self

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from dispute_fsm.domain.enums import RolloutReason
from dispute_fsm.domain.scalars import GivenIdentifier, Identifier, Instant, Named, Series, Strict

BUCKETS = 10_000
"""The number of buckets: each is a hundredth of a percent of the merchants."""

_PERCENTAGE = re.compile(r"\d{1,3}(\.\d{1,2})?", re.ASCII)


def _parse_percentage(value: object) -> Decimal:
    # Not a float: 0.07 * 100 is not 7.
    text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _PERCENTAGE.fullmatch(text) or Decimal(text) > 100:  # noqa: PLR2004 -- percent
        raise ValueError(
            "a percentage is 0 to 100, with at most two decimals; decimals need quotes, e.g. 25 or "
            '"0.05"'
        )
    return Decimal(text)


def _format_percentage(value: Decimal) -> str:
    return f"{value.normalize():f}"


Percentage = Annotated[
    Decimal,
    BeforeValidator(_parse_percentage),
    PlainSerializer(_format_percentage, return_type=str),
]
"""A share of the merchants, exact to a hundredth of a percent; a string in JSON, like `12.5`."""


def bucket_of(salt: str, merchant_id: str) -> int:
    """Return a merchant's bucket, 0 to 9999.

    The first 8 bytes, big-endian, of SHA-256 over `salt:merchant_id`, modulo 10,000.
    """
    return int.from_bytes(hashlib.sha256(f"{salt}:{merchant_id}".encode()).digest()[:8]) % BUCKETS


class RolloutDecision(Strict):
    """The version of a merchant and the reason, as recorded with an opening.

    `percentage` is the percentage at that time.
    """

    version: Identifier
    reason: Named[RolloutReason]
    bucket: Annotated[int, Field(ge=0, lt=BUCKETS)]
    percentage: Percentage


class RolloutStep(Strict):
    """The share of the merchants that get the newer version from this instant on."""

    at: Instant
    percentage: Percentage


class Span(NamedTuple):
    """A time span in which a merchant gets the newer version; None: no start, or no end."""

    since: datetime | None
    until: datetime | None


class Rollout(Strict):
    """A plan of a gradual release from the older to the newer version; it starts at 0 percent.

    With another salt the buckets are other ones: changing it moves merchants in both directions.
    """

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    salt: GivenIdentifier
    older: Annotated[GivenIdentifier, Field(alias="from")]
    newer: Annotated[GivenIdentifier, Field(alias="to")]
    deny: Series[GivenIdentifier] = ()
    allow: Series[GivenIdentifier] = ()
    schedule: Series[RolloutStep] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.older == self.newer:
            raise ValueError("from and to are the same version")
        if any(later.at <= earlier.at for earlier, later in pairwise(self.schedule)):
            raise ValueError("the steps of a schedule must be in chronological order")
        return self

    def percentage(self, at: datetime) -> Decimal:
        """Return the percentage at an instant: that of the last step, 0 before the first."""
        return next(
            (step.percentage for step in reversed(self.schedule) if step.at <= at), Decimal(0)
        )

    def decide(self, merchant_id: str, at: datetime) -> RolloutDecision:
        """Decide which version a dispute against this merchant opens under at this instant."""
        percentage, reason = self.percentage(at), self.reason(merchant_id)
        bucket = bucket_of(self.salt, merchant_id)
        gets_newer = reason is RolloutReason.ALLOW or (
            reason is RolloutReason.PERCENTAGE and _reaches(percentage, bucket)
        )
        version = self.newer if gets_newer else self.older
        return RolloutDecision(version=version, reason=reason, bucket=bucket, percentage=percentage)

    def reason(self, merchant_id: str) -> RolloutReason:
        """Return what decides for this merchant, at any time."""
        if merchant_id in self.deny:
            return RolloutReason.DENY
        return RolloutReason.ALLOW if merchant_id in self.allow else RolloutReason.PERCENTAGE

    def spans(self, merchant_id: str) -> Iterator[Span]:
        """Yield the time spans in which the merchant gets the newer version.

        There is one at most, unless a later percentage is lower.
        """
        reason = self.reason(merchant_id)
        if reason is RolloutReason.ALLOW:
            yield Span(None, None)
        if reason is not RolloutReason.PERCENTAGE:
            return
        bucket, since = bucket_of(self.salt, merchant_id), None
        for step in self.schedule:
            reached = _reaches(step.percentage, bucket)
            if reached and since is None:
                since = step.at
            elif not reached and since is not None:
                yield Span(since, step.at)
                since = None
        if since is not None:
            yield Span(since, None)


def _reaches(percentage: Decimal, bucket: int) -> bool:
    return bucket < percentage * (BUCKETS // 100)
