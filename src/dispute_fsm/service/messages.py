"""The texts of the service in both languages."""

from dispute_fsm.domain.messages import Message

CONTINUE_LIVE_DISPUTE = Message(
    "请继续处理纠纷 {}，或在其结束后再发起",
    "continue with dispute {}, or open another one after it is closed",
)
