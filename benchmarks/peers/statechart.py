"""Our default version's states and transitions in python-statemachine, without any condition."""

from typing import Any

from statemachine import State, StateChart


class BareChart(StateChart[Any]):
    """What one would begin with: the states, their nesting, and what leads from one to the next."""

    allow_event_without_transition = False
    catch_errors_as_events = False

    opened = State(initial=True)

    class option_chosen(State.Compound):  # noqa: N801 -- the class's name is the state's id
        """The merchant has answered."""

        class settling(State.Compound):  # noqa: N801 -- the class's name is the state's id
            """The merchant says that there is an agreement."""

            confirming = State(initial=True)
            shipping = State()
            denied = State()

        class contesting(State.Compound):  # noqa: N801 -- the class's name is the state's id
            """The merchant says that it is not at fault."""

            proving = State(initial=True)
            ruling = State()

    resolved = State(final=True)
    penalized = State()

    _settling, _contesting = option_chosen.settling, option_chosen.contesting
    choose_option = (
        opened.to(_settling.confirming)
        | opened.to(_settling.shipping)
        | opened.to(_contesting.proving)
        | opened.to(resolved)
    )
    response_expired = opened.to(penalized)
    confirm_agreement = _settling.confirming.to(resolved) | _settling.shipping.to.itself()
    deny_agreement = (
        _settling.confirming.to(penalized)
        | _settling.confirming.to(_settling.denied)
        | _settling.shipping.to(penalized)
        | _settling.shipping.to(_settling.denied)
    )
    confirmation_expired = (
        _settling.confirming.to(resolved)
        | _settling.confirming.to(penalized)
        | _settling.confirming.to(_settling.denied)
    )
    observe_order = _settling.shipping.to(resolved)
    promise_expired = _settling.shipping.to(resolved) | _settling.shipping.to(penalized)
    submit_evidence = _contesting.proving.to(_contesting.ruling)
    evidence_expired = _contesting.proving.to(penalized) | _contesting.proving.to(
        _contesting.ruling
    )
    request_evidence = _contesting.ruling.to(_contesting.proving)
    rule_no_fault = (
        _contesting.ruling.to(resolved)
        | _settling.denied.to(_settling.shipping)
        | _settling.denied.to(resolved)
    )
    rule_at_fault = _contesting.ruling.to(penalized) | _settling.denied.to(penalized)
    extend_deadline = (
        opened.to.itself()
        | _settling.confirming.to.itself()
        | _settling.shipping.to.itself()
        | _settling.denied.to.itself()
        | _contesting.proving.to.itself()
    )
    withdraw = opened.to(resolved) | option_chosen.to(resolved)
    annul = penalized.to(resolved)
