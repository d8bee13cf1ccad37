"""``anyworker bench`` against a real server."""

from anyworker import Configuration
from anyworker.bench import STEPS, measure


async def test_real_server_is_measured(conductor_url: str) -> None:
    figures = await measure(Configuration(server_api_url=conductor_url), tasks=20, thread_count=10)
    assert figures.tasks == 20 + 10 + 2 * 5 * STEPS
    assert figures.tasks_per_second > 1
    assert figures.round_trip_ms.p50 < figures.pickup_ms.p95
