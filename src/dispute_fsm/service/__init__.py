"""A service that keeps disputes: it loads, asks, decides and appends, watches deadlines, and tells others (extra `sql`).

    service = Service(Store("sqlite:///disputes.db"), orders)

`Service` is where a host begins; `AsyncService` is the same for asyncio.
"""
