"""An event as bare pydantic models: the members' types, and none of our constraints."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class _Actor(BaseModel):
    role: str
    id: str


class _Check(BaseModel):
    guard: str
    passed: bool
    saw: dict[str, Any]


class BareEvent(BaseModel):
    """What one would declare first."""

    event_id: str
    dispute_id: str
    seq: int
    revision: int
    type: str
    at: datetime
    recorded_at: datetime
    actor: _Actor
    command: str
    payload: dict[str, Any]
    source: str | None
    target: str
    checks: list[_Check]
    facts: dict[str, Any] | None
    deadlines: dict[str, datetime]
    outcome: str | None
    rules: str
    policy: str
    key: str | None
    correlation_id: str | None
    refused: list[str]
    prev_hash: str
    hash: str
    schema_version: int
    private: dict[str, Any]
