"""Definitions made for workers, and those that files bring."""

import shlex

import pytest

from anyworker.dev.definitions import (
    Definitions,
    attempt,
    declared_tasks,
    sort_definitions,
    trial_definitions,
    trial_workflow,
    ways_to_try,
)
from anyworker.dev.messages import Card
from anyworker.errors import ConfigurationError

GREET = Card("greet", "workers.greet", ["name", "times"], {"times": 1}, {"name": "text"})


def test_each_task_type_gets_a_workflow_and_a_definition() -> None:
    made = trial_definitions([GREET, Card("ship", "w.ship"), Card("ship", "w.ship_eu", domain="eu")])
    assert made.names == ["greet", "ship"]
    assert [task["name"] for task in made.tasks] == ["greet", "ship"]
    step = made.workflows[0]["tasks"][0]
    assert step["inputParameters"] == {"name": "${workflow.input.name}", "times": "${workflow.input.times}"}
    assert made.tasks[0]["inputTemplate"] == {"times": 1}


def test_failures_are_not_retried_although_tasks_may_be_handed_back() -> None:
    made = trial_definitions([GREET])
    assert made.workflows[0]["tasks"][0]["retryCount"] == 0
    assert made.tasks[0]["retryCount"] > 0


def test_declared_definition_decides_on_retries() -> None:
    made = trial_definitions([Card("greet", "w.greet", task_def={"name": "x", "retryCount": 7})])
    assert "retryCount" not in made.workflows[0]["tasks"][0]
    assert made.tasks[0]["retryCount"] == 7
    assert made.tasks[0]["name"] == "greet"


def test_worker_that_registers_itself_is_left_to_it() -> None:
    made = trial_definitions([Card("greet", "w.greet", defaults={"a": 1}, registers=True)])
    assert made.tasks == ()
    assert made.workflows[0]["tasks"][0]["taskDefinition"]["inputTemplate"] == {"a": 1}


@pytest.mark.parametrize(
    ("task_type", "reference"), [("mail.send", "mail_send"), ("发货", "发货"), ("a-b c", "a_b_c")]
)
def test_references_can_stand_in_expressions(task_type: str, reference: str) -> None:
    assert trial_workflow(Card(task_type, "w.f"), [])["tasks"][0]["taskReferenceName"] == reference


def test_definitions_of_tasks_are_told_by_what_only_they_have() -> None:
    flow = {"name": "flow", "tasks": [], "timeoutSeconds": 1}
    found = sort_definitions([flow, {"name": "task", "retryCount": 1}, {"name": "neither"}])
    assert found.workflows == (flow, {"name": "neither"})
    assert found.tasks == ({"name": "task", "retryCount": 1},)


def test_files_come_before_what_workers_declare() -> None:
    cards = [Card(name, "w.f", task_def={"name": name}) for name in ("a", "b")]
    files = Definitions(tasks=({"name": "a", "retryCount": 1},))
    assert [task["name"] for task in declared_tasks(cards, files).tasks] == ["b"]


def test_start_of_a_trial_passes_on_what_the_worker_did_not_name() -> None:
    wanted = attempt("greet", {"name": "x", "more": 1}, [GREET], None)
    assert wanted.definition is not None
    assert list(wanted.definition["tasks"][0]["inputParameters"]) == ["name", "times", "more"]
    assert attempt("greet", {"name": "x"}, [GREET], None).definition is None


def test_start_of_a_trial_goes_to_the_domain_of_its_worker() -> None:
    assert attempt("ship", {}, [Card("ship", "w.s", domain="eu")], None).task_to_domain == {"ship": "eu"}


def test_unknown_name_gets_a_hint() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 'greet'\? \(known are: greet\)"):
        attempt("great", {}, [GREET], None)
    with pytest.raises(ConfigurationError, match=r"it is a worker.*\(known are: none\)"):
        attempt("greet", {}, [GREET], Definitions())


def test_lines_to_try_survive_a_shell() -> None:
    card = Card("it's", "w.f", example={"q": 'say "hi" & $HOME'})
    curl, command = ways_to_try(card, "http://h/api", ["my workers.py"])
    assert shlex.split(curl)[1] == "http://h/api/workflow/it%27s"
    assert shlex.split(curl)[-1] == '{"q":"say \\"hi\\" & $HOME"}'
    assert shlex.split(command)[2:5] == ["my workers.py", "--start", "it's"]


def test_line_for_a_domain_names_it() -> None:
    curl, _ = ways_to_try(Card("ship", "w.s", domain="eu"), "http://h/api", ["w.py"])
    assert '"taskToDomain":{"ship":"eu"}' in curl
