"""What the command says at length."""

from collections.abc import Sequence

from anyworker.conductor.encoding import encode
from anyworker.conductor.models import Workflow
from anyworker.dev.definitions import ways_to_try
from anyworker.dev.messages import Card
from anyworker.dev.settings import Settings


def welcome(cards: Sequence[Card], url: str, settings: Settings) -> str:
    """Return what there is to try, and how."""
    if settings.definitions is not None:
        names = ", ".join(settings.definitions.names) or "none"
        types = ", ".join(dict.fromkeys(card.task_type for card in cards))
        return f"Workflows: {names}\nWorkers: {types}"
    if settings.start is not None:
        return f"Workers: {', '.join(dict.fromkeys(card.task_type for card in cards))}"
    lines = ["Each worker has a workflow of its name. Try them:"]
    for card in {card.task_type: card for card in cards}.values():
        lines.append(f"  {card.task_type}: {card.origin}")
        lines += (f"    {way}" for way in ways_to_try(card, url, settings.targets))
    return "\n".join(lines)


def outcome_text(workflow: Workflow) -> str:
    """Return how a workflow ended: its output, or why it did not complete."""
    name = f"{workflow.workflow_name} {workflow.workflow_id}: {workflow.status}"
    if workflow.status == "COMPLETED":
        return f"{name} {output_text(workflow)}"
    return f"{name}: {failure_text(workflow)}"


def output_text(workflow: Workflow) -> str:
    """Return a workflow's output as one line of JSON."""
    return encode(workflow.output).decode()


def failure_text(workflow: Workflow) -> str:
    """Return why a workflow did not complete."""
    return workflow.reason_for_incompletion or "the server gives no reason"
