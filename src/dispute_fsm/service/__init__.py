"""A service that keeps disputes: it loads, asks, decides and appends, watches deadlines, and tells others (extra `sql`).

    service = DisputeService(Store("sqlite:///disputes.db"), orders)

`DisputeService` is where a host begins; `AsyncDisputeService` is the same for asyncio.
"""
