"""An order goes through three workers: typed inputs, a fork, and a bad order that fails with its reasons.

    anyworker dev examples/orders.py --workflow examples/orders.json --once \\
        --start order --input @examples/order.json

An item with the price ``"cheap"`` fails its task for good, with the reason that
``$.order.items[0].price: expected Decimal, got str``.
"""

from dataclasses import dataclass
from decimal import Decimal

from anyworker import NonRetryableException, get_task_context, worker_task


@dataclass
class Item:
    """So many of one article."""

    article: str
    count: int
    price: Decimal


@dataclass
class Order:
    """What a customer wants."""

    customer: str
    items: list[Item]


@worker_task("price_order", thread_count=20)
async def price(order: Order) -> dict[str, Decimal]:
    """Return what an order costs."""
    return {"total": sum((item.count * item.price for item in order.items), Decimal())}


@worker_task("charge_order", thread_count=5)
def charge(customer: str, total: Decimal) -> dict[str, str]:
    """Charge a customer, once however often the task is tried."""
    if total <= 0:
        reason = f"{customer} would be charged {total}"
        raise NonRetryableException(reason)
    return {"receipt": f"{customer}: {total}", "key": get_task_context().idempotency_key}


@worker_task("ship_order", thread_count=5)
def ship(order: Order) -> int:
    """Return how many parcels are sent."""
    return sum(item.count for item in order.items)
