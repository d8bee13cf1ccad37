"""What is imported of the official SDK, and what to import instead."""

from anyworker.migration.fate import Fate

SDK = "conductor.client"
_EVENTS = "event.task_runner_events"
_MODELS = "http.models"

NAMES = (
    Fate("worker_task", "same", "anyworker.worker_task", home="worker.worker_task"),
    Fate(
        "WorkerTask",
        "renamed",
        "anyworker.worker_task",
        "poll_interval was in milliseconds: poll_interval_millis",
        home="worker.worker_task",
    ),
    Fate("Worker", "same", "anyworker.Worker", home="worker.worker"),
    Fate(
        "WorkerInterface",
        "better",
        "anyworker.worker_task",
        "no base class: decorate a class that has execute(task), def or async def",
        home="worker.worker_interface",
    ),
    Fate("NonRetryableException", "same", "anyworker.NonRetryableException", home="worker.exception"),
    Fate("WorkerLoader", "same", "anyworker.WorkerLoader", home="worker.worker_loader"),
    Fate("scan_for_workers", "same", "anyworker.scan_for_workers", home="worker.worker_loader"),
    Fate("auto_discover_workers", "same", "anyworker.auto_discover_workers", home="worker.worker_loader"),
    Fate(
        "TaskHandler",
        "better",
        "anyworker.TaskHandler",
        "anyworker.run() also owns signals and exit status, and runs all workers in one process",
        home="automator.task_handler",
    ),
    Fate(
        "TaskRunner",
        "gone",
        "anyworker.serving",
        "workers inside of another program: async with anyworker.serving(...)",
        home="automator",
    ),
    Fate("AsyncTaskRunner", "gone", "anyworker.serving", "as TaskRunner", home="automator"),
    Fate("Configuration", "same", "anyworker.Configuration", home="configuration.configuration"),
    Fate(
        "AuthenticationSettings",
        "same",
        "anyworker.AuthenticationSettings",
        "key and secret may also come from files that are rotated",
        home="configuration.settings.authentication_settings",
    ),
    Fate(
        "MetricsSettings",
        "better",
        "anyworker.MetricsSettings",
        "no directory of files for each process: processes tell their parent",
        home="configuration.settings.metrics_settings",
    ),
    Fate("get_task_context", "same", "anyworker.get_task_context", home="context"),
    Fate("TaskContext", "same", "anyworker.TaskContext", home="context"),
    Fate("TaskInProgress", "same", "anyworker.TaskInProgress", home="context"),
    Fate("Task", "same", "anyworker.Task", "frozen fields by the same names; no to_dict", home=_MODELS),
    Fate("TaskDef", "same", "anyworker.TaskDef", home=_MODELS),
    Fate("TaskExecLog", "same", "anyworker.TaskExecLog", home=_MODELS),
    Fate(
        "TaskResult",
        "same",
        "anyworker.TaskResult",
        "give all fields to the constructor; plain return values and exceptions are shorter",
        home=_MODELS,
    ),
    Fate(
        "TaskResultStatus",
        "renamed",
        "the text",
        '"COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR" or "IN_PROGRESS", known to type checkers',
        home=_MODELS,
    ),
    Fate("Workflow", "same", "anyworker.client.Workflow", home=_MODELS),
    Fate("WorkflowDef", "same", "anyworker.client.WorkflowDef", home=_MODELS),
    Fate("WorkflowTask", "same", "anyworker.client.WorkflowTask", home=_MODELS),
    Fate("PollData", "same", "anyworker.client.PollData", home=_MODELS),
    Fate("StartWorkflowRequest", "renamed", "anyworker.client.StartWorkflow", home=_MODELS),
    Fate("SchemaDef", "gone", "", "schemas come from annotations, with register_task_def=True", home=_MODELS),
    *(
        Fate(name, "same", f"anyworker.{name}", home=_EVENTS)
        for name in (
            "PollStarted",
            "PollCompleted",
            "PollFailure",
            "TaskExecutionStarted",
            "TaskExecutionCompleted",
            "TaskExecutionFailure",
            "TaskUpdateFailure",
        )
    ),
    Fate(
        "TaskRunnerEvent",
        "same",
        "anyworker.events.TaskRunnerEvent",
        "there are many more events",
        home=_EVENTS,
    ),
    Fate(
        "TaskRunnerEventsListener",
        "same",
        "anyworker.TaskRunnerEventsListener",
        "a listener implements what it wants",
        home="event.listeners",
    ),
    Fate(
        "SyncEventDispatcher",
        "gone",
        "",
        "listeners are given as event_listeners=[...] and called in order",
        home="event.sync_event_dispatcher",
    ),
    Fate(
        "MetricsCollector",
        "same",
        "anyworker.MetricsCollector",
        "brought by metrics_settings, or listed among the listeners",
        home="telemetry",
    ),
    Fate(
        "create_metrics_collector",
        "gone",
        "anyworker.MetricsCollector",
        "metrics_settings does",
        home="telemetry",
    ),
    Fate(
        "OrkesClients",
        "gone",
        "anyworker.client.ConductorClient",
        "an async client of definitions, workflows, tasks; for all else keep the SDK beside it",
        home="orkes_clients",
    ),
    Fate(
        "ConductorWorkflow",
        "gone",
        "",
        "workflows in code stay with the SDK, which may be installed beside anyworker",
        home="workflow",
    ),
    Fate(
        "WorkflowExecutor",
        "gone",
        "anyworker.client.ConductorClient",
        "register_workflow_def, start_workflow, wait_for_workflow",
        home="workflow",
    ),
    Fate(
        "ApiClient",
        "gone",
        "anyworker.client.ConductorClient",
        "and httpx for all else",
        home="http.api_client",
    ),
    Fate("ApiException", "gone", "anyworker.errors.ConductorError", home="http.rest"),
)
"""What is imported."""

ELSEWHERE = Fate(
    "*",
    "gone",
    "",
    "not of workers: keep the SDK for it, both may be installed side by side",
)
"""All other names of the SDK."""
