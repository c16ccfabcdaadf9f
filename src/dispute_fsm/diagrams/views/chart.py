"""The view `chart`: the whole machine, and where each of its rules comes from."""

from dispute_fsm.diagrams.model import Machine
from dispute_fsm.diagrams.phrases import Phrases
from dispute_fsm.diagrams.picture import Mark
from dispute_fsm.diagrams.view import View
from dispute_fsm.diagrams.views.machine_picture import Remark, machine_picture
from dispute_fsm.diagrams.views.sources import sources
from dispute_fsm.diagrams.voice import Voice
from dispute_fsm.domain.enums import Lang

_WORDS = Phrases(
    {
        "title": ("催单纠纷状态图 · 规则 {}", "Rush-delivery disputes · rules {}"),
        "read": (
            (
                "从左向右读。方框是状态，小框是事件：由谁操作、做什么。“适用条件”说明何时适用；“必须满足”的要求有一项不满足，请求即被拒绝。"
                "写在状态框内的事件不改变状态。双线框表示纠纷已结束；虚线外框内的各条路径同时进行。"
            ),
            (
                "Read from left to right. A box is a state, a small box an event: who does what; “if” says when it applies, “needs” what "
                "it demands, else the request is refused. Events inside a state leave it as it is. A double line closes the dispute; "
                "regions in a dashed frame run side by side."
            ),
        ),
        "time": (
            "除届满事件外，每个事件都须在所在状态的时限内发生；届满事件在时限届满后方可生效。恰在截止时刻操作，视为按时。",
            (
                "Every event but an expiry has to come within the running deadline of its state; an expiry is accepted only after it. "
                "At the due instant is in time."
            ),
        ),
        "idle": ("【当前参数下不适用】", "[never under this policy]"),
    }
)


def chart(machine: Machine, lang: Lang) -> View:
    """Show a whole machine."""
    voice = Voice(machine, lang)
    picture = machine_picture(voice, _idle(voice))
    return View(
        name="chart",
        lang=lang,
        title=_WORDS(lang, "title", voice.rules),
        notes=(_WORDS(lang, "read"), _WORDS(lang, "time")),
        parts=(picture, sources(voice)),
        graph=picture,
    )


def _idle(voice: Voice) -> dict[str, Remark]:
    badge = _WORDS(voice.lang, "idle")
    return {name: Remark(Mark.PLAIN, badge) for name in voice.machine.idle()}
