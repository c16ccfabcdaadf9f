"""The texts of the pytest plugin in both languages."""

from dispute_fsm.domain.messages import Messages

SUMMARY = Messages(
    {
        "updated": ("已写入的场景文件", "scenario files written"),
        "unused": ("不再对应任何差异的批准项", "approvals that no longer fit any difference"),
        "coverage": ("纠纷规则覆盖", "coverage of the dispute rules"),
        "coverage_file": ("已写入 {file}", "written to {file}"),
    }
)
"""The summary of a test run."""

FAILURE = Messages(
    {
        "step": ("第 {step} 步", "step {step}"),
        "end": ("结束时", "at the end"),
        "failure": (
            "{where}：预期 {expected}，实际 {found}",
            "{where}: expected {expected}; found {found}",
        ),
        "line": ("第 {line} 行，{failure}", "line {line}, {failure}"),
        "differs": (
            "{file}:{line}：纠纷 {dispute}，事件 {seq}：{drift}",
            "{file}:{line}: dispute {dispute}, event {seq}: {drift}",
        ),
        "dispute": ("纠纷 {dispute}", "dispute {dispute}"),
        "first": ("第一处不同：{drift} ({code})", "first difference: {drift} ({code})"),
        "guard": ("条件：{guard}", "guard: {guard}"),
        "saw_then": ("当时核查结果：{saw}", "saw then: {saw}"),
        "saw_now": ("现在核查结果：{saw}", "sees now: {saw}"),
        "not_asked": ("未核查", "was not asked"),
        "change": ("{field}：当时 {recorded}，现在 {now}", "{field}: was {recorded}, is now {now}"),
        "further": (
            "此后还有 {number} 处不同，事件：{seqs}",
            "later steps that differ: {number}, at events {seqs}",
        ),
    }
)
"""What is wrong with a scenario or a history."""
