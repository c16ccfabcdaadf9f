"""The texts of the store in both languages: what the integrity check finds."""

from dispute_fsm.domain.messages import Messages

DAMAGE = Messages(
    {
        "orphaned_rows": (
            "{table} 有 {number} 行无归属：纠纷不存在",
            "{table} has {number} orphaned rows: the dispute does not exist",
        ),
        "ahead": (
            "{number} 个事件带有另一数据库集群的事务编号：事件流将长期不显示它们",
            (
                "{number} events carry transaction numbers of another database cluster: the feed "
                "will not show them for long"
            ),
        ),
        "projection": (
            "投影中 {name} 为 {actual}，按事件应为 {right}",
            "the projection has {name} {actual}, the events give {right}",
        ),
        "deadlines": (
            "运行中的时限为 {actual}，按事件应为 {right}",
            "the running deadlines are {actual}, the events give {right}",
        ),
        "keys": (
            "已用的请求编号为 {actual}，按事件应为 {right}",
            "the used keys are {actual}, the events give {right}",
        ),
        "orphaned_values": (
            "个人信息无归属：事件不存在",
            "orphaned personal values: the event does not exist",
        ),
        "missing": ("缺少事件 {number}", "event {number} is missing"),
        "invalid": ("事件无效：{error}", "{error}"),
        "no_events": ("纠纷没有任何事件", "the dispute has no events"),
    }
)
