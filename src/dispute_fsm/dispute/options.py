"""The merchant's options as they stand: open or closed, why, what would open them, and what choosing commits to.

Nothing here knows an option by name: each is put before the chart as a command without a payload, and what choosing leads
to is read off the rows behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from dispute_fsm.charts.table import Row
from dispute_fsm.dispute.chain import Stamp
from dispute_fsm.dispute.decide import decide
from dispute_fsm.dispute.dispute import Dispute
