"""The guards of disputes, by theme; `dispute_fsm.machine.guard` says what a guard is.

To add one: write a function under `@requirement` in the module of its theme, list it below, and
name it in the `needs` of a transition in a chart module.
"""

from dispute_fsm.machine.guard import Dimension as Dimension
from dispute_fsm.rules.guards.actors import by as by
from dispute_fsm.rules.guards.agreement import agreement_voucher as agreement_voucher
from dispute_fsm.rules.guards.agreement import not_confirmed as not_confirmed
from dispute_fsm.rules.guards.agreement import promise_given as promise_given
from dispute_fsm.rules.guards.agreement import promise_in_future as promise_in_future
from dispute_fsm.rules.guards.agreement import promise_not_too_far as promise_not_too_far
from dispute_fsm.rules.guards.evidence import VOUCHER_LIMITS as VOUCHER_LIMITS
from dispute_fsm.rules.guards.evidence import media_types_supported as media_types_supported
from dispute_fsm.rules.guards.evidence import reason_known as reason_known
from dispute_fsm.rules.guards.evidence import rounds_left as rounds_left
from dispute_fsm.rules.guards.evidence import statement_short_enough as statement_short_enough
from dispute_fsm.rules.guards.evidence import statement_there as statement_there
from dispute_fsm.rules.guards.evidence import vouchers_accepted as vouchers_accepted
from dispute_fsm.rules.guards.evidence import vouchers_few_enough as vouchers_few_enough
from dispute_fsm.rules.guards.evidence import vouchers_small_enough as vouchers_small_enough
from dispute_fsm.rules.guards.evidence import vouchers_there as vouchers_there
from dispute_fsm.rules.guards.order_facts import (
    cancel_requested_or_refunded as cancel_requested_or_refunded,
)
from dispute_fsm.rules.guards.order_facts import facts_of as facts_of
from dispute_fsm.rules.guards.order_facts import order_exists as order_exists
from dispute_fsm.rules.guards.order_facts import picked_up as picked_up
from dispute_fsm.rules.guards.order_facts import shipped as shipped
from dispute_fsm.rules.guards.rulings import EXTENSION as EXTENSION
from dispute_fsm.rules.guards.rulings import rationale_given as rationale_given
from dispute_fsm.rules.guards.rulings import until_later as until_later
from dispute_fsm.rules.guards.selectors import CONFIRMATION as CONFIRMATION
from dispute_fsm.rules.guards.selectors import DENIAL as DENIAL
from dispute_fsm.rules.guards.selectors import EVIDENCE as EVIDENCE
from dispute_fsm.rules.guards.selectors import EXTENDED as EXTENDED
from dispute_fsm.rules.guards.selectors import FAILED as FAILED
from dispute_fsm.rules.guards.selectors import FULFILMENT as FULFILMENT
from dispute_fsm.rules.guards.selectors import NAMED as NAMED
from dispute_fsm.rules.guards.selectors import OPTION as OPTION
from dispute_fsm.rules.guards.selectors import SILENCE as SILENCE
from dispute_fsm.rules.guards.timing import evidence_in_time as evidence_in_time
from dispute_fsm.rules.guards.timing import has_passed as has_passed
from dispute_fsm.rules.guards.timing import in_time as in_time
from dispute_fsm.rules.guards.timing import settlement_in_time as settlement_in_time
from dispute_fsm.rules.guards.timing import window_open as window_open
