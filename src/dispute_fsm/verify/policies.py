"""The policies under which the rules are explored: every switch on and off, every two of them in every combination.

Eight policies do what a hundred and twenty-eight would: in an orthogonal array each two columns hold all four pairs. A rule
that goes wrong only where three switches meet would need more; no row of a chart asks for three.
"""

from collections.abc import Mapping

from dispute_fsm.domain.policy import DEFAULT_POLICY, Policy
from dispute_fsm.domain.scalars import FrozenMap

SWITCHES: Mapping[str, Mapping[str, object]] = FrozenMap(
    {
        "no response deadline": {"response": None},
        "nobody confirms": {"confirmation": None},
        "no evidence deadline": {"evidence": None},
        "silence denies": {"silence": "denial"},
        "denials are reviewed": {"denial": "review"},
        "no extra evidence": {"extra_evidence_rounds": 0},
        "no limits": {"max_promise": None, "scan_grace": "0s", "order_url": None, "max_recorded_refusals": 0},
    }
)
"""What each switch lays over the default policy. The last one turns those that no row of a chart asks about, all at once."""

_ARRAY = ("0000000", "0001111", "0110011", "0111100", "1010101", "1011010", "1100110", "1101001")


def representative() -> dict[str, Policy]:
    """Give the policies by a name that says which switches are turned."""
    named: dict[str, Policy] = {}
    for row in _ARRAY:
        turned = [switch for switch, digit in zip(SWITCHES, row, strict=True) if digit == "1"]
        changes = {field: value for switch in turned for field, value in SWITCHES[switch].items()}
        named[", ".join(turned) or "the default"] = DEFAULT_POLICY.lay_over(changes)
    return named
