"""All properties, in the order in which they are reported."""

from dispute_fsm.verify.due_process import (
    ends_agree,
    merchant_is_heard,
    one_response,
    penalty_has_a_cause,
    unknown_never_penalizes,
)
from dispute_fsm.verify.liveness import (
    closed_stays_closed,
    deadline_is_inclusive,
    silence_closes,
    sweeps_do_not_decide,
)
from dispute_fsm.verify.one_answer import (
    hints_help,
    never_means_never,
    one_answer,
    refusal_explains,
    repetition_is_harmless,
)

PROPERTIES = (
    one_answer,
    silence_closes,
    closed_stays_closed,
    one_response,
    penalty_has_a_cause,
    merchant_is_heard,
    refusal_explains,
    hints_help,
    never_means_never,
    repetition_is_harmless,
    unknown_never_penalizes,
    deadline_is_inclusive,
    sweeps_do_not_decide,
    ends_agree,
)
