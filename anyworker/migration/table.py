"""What becomes of options, attributes and variables of the official SDK."""

from anyworker.migration.fate import Fate

_SAME_WORKER = tuple(
    Fate(name, "same", name)
    for name in (
        "task_definition_name",
        "domain",
        "worker_id",
        "thread_count",
        "register_task_def",
        "lease_extend_enabled",
        "overwrite_task_def",
        "strict_schema",
    )
)
_POLL_TIMEOUT = Fate(
    "poll_timeout",
    "better",
    "",
    "leave it out: the wait then grows from 100 ms to idle_poll_timeout while there is nothing to do",
)
_REGISTER_SCHEMA = Fate("register_schema", "renamed", "register_task_def", "schemas are registered with it")
_SAME_HANDLER = tuple(
    Fate(name, "same", name)
    for name in (
        "workers",
        "configuration",
        "metrics_settings",
        "scan_for_annotated_workers",
        "import_modules",
        "event_listeners",
        "monitor_processes",
        "restart_on_failure",
        "monitor_interval_seconds",
        "restart_backoff_seconds",
        "restart_backoff_max_seconds",
        "restart_max_attempts",
    )
)

POSITIONAL = {
    "worker_task": 1,
    "WorkerTask": 1,
    "Worker": 2,
    "Configuration": 1,
    "MetricsSettings": 0,
    "TaskHandler": 6,
}
"""How many options may be given without their names."""

BY_NAME = Fate("options without their names", "renamed", "by name", "the same names as before")

OPTIONS: dict[str, tuple[Fate, ...]] = {
    "worker_task": (
        *_SAME_WORKER,
        Fate("poll_interval_millis", "same", "poll_interval_millis"),
        Fate("task_def", "same", "task_def"),
        _POLL_TIMEOUT,
        _REGISTER_SCHEMA,
    ),
    "WorkerTask": (
        *_SAME_WORKER,
        Fate("poll_interval", "renamed", "poll_interval_millis", "in milliseconds, as before"),
        _POLL_TIMEOUT,
        _REGISTER_SCHEMA,
    ),
    "Worker": (
        *_SAME_WORKER,
        Fate("execute_function", "same", "execute_function"),
        Fate("poll_interval", "renamed", "poll_interval_millis", "in milliseconds, as before"),
        Fate("task_def_template", "renamed", "task_def"),
        Fate(
            "paused", "gone", "", "only from outside: CONDUCTOR_WORKER_<NAME>_PAUSED=true, or fleet.quiet()"
        ),
        _POLL_TIMEOUT,
        _REGISTER_SCHEMA,
    ),
    "TaskHandler": _SAME_HANDLER,
    "Configuration": (
        Fate("base_url", "same", "base_url"),
        Fate("server_api_url", "same", "server_api_url"),
        Fate("authentication_settings", "same", "authentication_settings"),
        Fate("auth_token_ttl_min", "same", "auth_token_ttl_min"),
        Fate("debug", "gone", "", "levels are logging's: logging.getLogger('anyworker').setLevel(...)"),
        Fate("log_level", "gone", "", "levels are logging's: logging.getLogger('anyworker').setLevel(...)"),
        Fate(
            "register_schema",
            "renamed",
            "register_task_def",
            "an option of workers, also for all by a variable",
        ),
    ),
    "MetricsSettings": (
        Fate("directory", "same", "directory"),
        Fate("file_name", "same", "file_name", "metrics.prom unless given"),
        Fate("update_interval", "same", "update_interval", "1 s unless given"),
        Fate("http_port", "same", "http_port", "listens on 127.0.0.1 unless http_host says otherwise"),
        Fate("clean_directory", "gone", "", "there are no files of processes"),
        Fate("clean_dead_pids", "gone", "", "there are no files of processes"),
    ),
    "AuthenticationSettings": (Fate("key_id", "same", "key_id"), Fate("key_secret", "same", "key_secret")),
}
"""By what they are given to."""

ATTRIBUTES = (
    Fate("add_output_data", "gone", "", "return the output, or TaskResult(output_data=...)"),
    Fate("get_workflow_task_type", "renamed", "task.workflow_task"),
    Fate("task_result", "gone", "", "set_output, add_log and set_callback_after of the context"),
    Fate("get_domain", "renamed", "options.domain"),
    Fate(
        "apply_logging_config", "gone", "", "the library installs no handler; logging.basicConfig() is yours"
    ),
    Fate("get_logging_formatted_name", "gone", "", "logging.getLogger(__name__)"),
    Fate("update_token", "gone", "", "tokens are renewed by themselves"),
    Fate("paused", "gone", "", "CONDUCTOR_WORKER_<NAME>_PAUSED=true, or fleet.quiet()"),
)
"""Methods and attributes of the SDK's objects that are not there, where a file imports the SDK."""

VARIABLES = (
    Fate("CONDUCTOR_SERVER_URL", "same", "CONDUCTOR_SERVER_URL"),
    Fate("CONDUCTOR_AUTH_KEY", "same", "CONDUCTOR_AUTH_KEY"),
    Fate("CONDUCTOR_AUTH_SECRET", "same", "CONDUCTOR_AUTH_SECRET"),
    Fate("CONDUCTOR_UI_SERVER_URL", "renamed", "MetricsSettings(ui_url=...)", "links from the status page"),
    Fate("CONDUCTOR_LOG_LEVEL", "gone", "", "levels are logging's; anyworker run --verbose"),
    Fate("CONDUCTOR_HTTP2_ENABLED", "gone", "", "requests go by HTTP/1.1 on connections that are kept"),
    Fate("CONDUCTOR_REGISTER_SCHEMAS", "renamed", "CONDUCTOR_WORKER_ALL_REGISTER_TASK_DEF"),
    Fate("CONDUCTOR_WORKER_ISOLATION", "gone", "", "processes are always fresh interpreters"),
    Fate("WORKER_CANONICAL_METRICS", "renamed", "MetricsSettings(histograms=True)"),
)
"""Variables of the environment, apart from those of workers."""

WORKER_VARIABLES = (
    Fate("POLLING_INTERVAL", "renamed", "POLL_INTERVAL_MILLIS"),
    Fate("REGISTER_SCHEMA", "renamed", "REGISTER_TASK_DEF"),
)
"""The last parts of ``CONDUCTOR_WORKER_<NAME>_<OPTION>`` that are other ones. The rest is the same, as is the
form ``conductor.worker.<name>.<option>``; ``conductor_worker_<name>_<option>`` is not read."""
