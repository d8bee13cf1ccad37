import itertools
import re
from collections.abc import Mapping

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.errors import ConfigurationError, DuplicateWorkerError
from anyworker.option_table import DECLARABLE, OPTIONS, PROPERTIES, Option, Settings, options_table
from anyworker.options import Source, WorkerOptions, resolve, resolve_all, startup_line
from anyworker.settings_file import Setting, SettingsFile
from anyworker.worker import Worker

SEED_DEFAULTS = {
    "poll_interval": 0.1,
    "thread_count": 1,
    "domain": None,
    "worker_id": None,
    "poll_timeout": None,
    "idle_poll_timeout": 1.0,
    "timeout": None,
    "rate_limit": None,
    "lease_extend_enabled": False,
    "restartable": None,
    "register_task_def": False,
    "overwrite_task_def": True,
    "strict_schema": False,
    "lax": False,
    "output_warning_kb": 3072,
    "output_limit_kb": 10240,
    "forward_logs": None,
    "paused": False,
}


def process_order(order_id: str) -> str:
    return order_id


def refund_order(order_id: str) -> str:
    return order_id


def values(options: WorkerOptions) -> dict[str, object]:
    found = attrs.asdict(options, recurse=False)
    del found["sources"]
    return found


def refusal(workers: list[Worker], environ: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        resolve_all(workers, environ)
    return caught.value.problems


def test_nothing_set_gives_the_defaults_with_their_source():
    options = resolve(Worker("greet", process_order), {})
    assert values(options) == SEED_DEFAULTS
    assert set(options.sources) == set(SEED_DEFAULTS)
    assert set(options.sources.values()) == {Source("default")}


def test_code_is_told_from_the_default_even_when_equal():
    options = resolve(Worker("greet", process_order, thread_count=1, poll_interval_millis=250, timeout=3), {})
    assert options.sources["thread_count"] == Source("code", "thread_count")
    assert options.sources["poll_interval"] == Source("code", "poll_interval_millis")
    assert (options.poll_interval, options.timeout) == (0.25, 3.0)
    assert options.sources["domain"] == Source("default")


def test_seeds_example_resolves_as_the_seed_says():
    worker = Worker("process_order", process_order, poll_interval_millis=1000, thread_count=5, domain="dev")
    environ = {
        "conductor.worker.all.domain": "production",
        "conductor.worker.all.thread_count": "20",
        "conductor.worker.process_order.thread_count": "50",
    }
    options = resolve(worker, environ)
    assert (options.domain, options.thread_count, options.poll_interval) == ("production", 50, 1.0)
    assert options.sources["thread_count"].key == "conductor.worker.process_order.thread_count"
    assert options.sources["domain"] == Source("environment", "conductor.worker.all.domain")


TIERS = (
    "conductor.worker.my-task.v2.{}",
    "CONDUCTOR_WORKER_MY_TASK_V2_{}",
    "conductor.worker.all.{}",
    "CONDUCTOR_WORKER_ALL_{}",
)


def key_of(tier: str, property_name: str) -> str:
    return tier.format(property_name if tier.startswith("c") else property_name.upper())


TEXTS = {
    "poll_interval_millis": st.integers(1, 2**31 - 1).map(str),
    "thread_count": st.integers(1, 2**31 - 1).map(str),
    "domain": st.sampled_from(["dev", "prod", ""]),
    "worker_id": st.sampled_from(["w1", "w 2", ""]),
    "poll_timeout": st.integers(0, 5000).map(str) | st.just(""),
    "idle_poll_timeout": st.integers(1, 5000).map(str),
    "timeout": st.sampled_from(["1", "2.5", ".5", " 7. ", ""]),
    "rate_limit": st.sampled_from(["100/s", "1/m", "2147483647/h", " 007/s ", ""]),
    "output_warning_kb": st.integers(1, 2**31 - 1).map(str) | st.just(""),
    "output_limit_kb": st.integers(1, 2**31 - 1).map(str) | st.just(""),
    "forward_logs": st.sampled_from(["INFO", "error", "15", ""]),
    "restartable": st.sampled_from(["true", "Off", "1", ""]),
} | {
    option.name: st.sampled_from(["true", "FALSE", "1", "0", "Yes", "no", "on", "oFF"])
    for option in OPTIONS
    if isinstance(option.default, bool)
}


FILE_TIERS = ("my-task.v2", "all")
"""Tables of a settings file, the one that wins first."""


def file_of(option: Option, said: Mapping[str, str]) -> SettingsFile:
    """Return a settings file that sets one option for some owners."""
    tables = {
        owner: {option.name: Setting(option.read(text), owner, owner, f"file:{owner}")}
        for owner, text in said.items()
    }
    return SettingsFile("file", workers=tables)


@given(st.data())
def test_the_strongest_tier_that_is_set_counts(data: st.DataObject):
    option = data.draw(st.sampled_from(OPTIONS))
    text = TEXTS[option.name]
    said = data.draw(st.dictionaries(st.sampled_from(TIERS), text))
    in_file = data.draw(st.dictionaries(st.sampled_from(FILE_TIERS), text))
    in_code = None if option.is_outside_only else data.draw(st.none() | text)
    code = {} if in_code is None else {option.name: option.read(in_code)}
    options = resolve(
        Worker("my-task.v2", process_order, **code),
        {key_of(tier, option.name): said[tier] for tier in said},
        file_of(option, in_file),
    )
    strongest = next((tier for tier in TIERS if tier in said), None)
    owner = next((owner for owner in FILE_TIERS if owner in in_file), None)
    if strongest is not None:
        expected, source = option.read(said[strongest]), Source("environment", key_of(strongest, option.name))
    elif owner is not None:
        expected, source = option.read(in_file[owner]), Source("file", f"file:{owner}")
    elif code:
        expected, source = code[option.name], Source("code", option.name)
    else:
        expected, source = option.default, Source("default")
    assert getattr(options, option.field) == option.resolve(expected)
    assert options.sources[option.field] == source
    others = {field: value for field, value in values(options).items() if field != option.field}
    assert others == {field: value for field, value in SEED_DEFAULTS.items() if field != option.field}


ANY_KEY = st.one_of(
    st.text(),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["conductor.worker.", "CONDUCTOR_WORKER_"]),
        st.sampled_from(["", "all", "ALL", "greet", "GREET", "a.b", "A_B", "other"]),
        st.sampled_from(["", ".", "_"]),
        st.sampled_from([*PROPERTIES, *map(str.upper, PROPERTIES), "thread_cuont", "a\nb", ""]),
    ),
)


@given(st.dictionaries(ANY_KEY, st.text() | st.sampled_from(["5", "true", "x", ""])))
def test_any_environment_is_resolved_or_refused_by_key(environ: dict[str, str]):
    workers = [Worker("greet", process_order), Worker("a.b", refund_order)]
    refused: tuple[str, ...] = ()
    try:
        resolution = resolve_all(workers, environ)
    except ConfigurationError as error:
        refused = error.problems
    if refused:
        assert all(problem.startswith(tuple(environ)) for problem in refused)
        assert all(len(problem.splitlines()) == 1 for problem in refused)
        return
    assert all(len(warning.splitlines()) == 1 for warning in resolution.warnings)
    assert [resolved.worker for resolved in resolution.workers] == workers
    for resolved in resolution.workers:
        for field, source in resolved.options.sources.items():
            assert source.kind == "default" or source.key in environ
            assert source.kind == "environment" or getattr(resolved.options, field) == SEED_DEFAULTS[field]
        line = startup_line(resolved, pid=1, mode="thread", backend="trio")
        assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("property_name", "text"),
    [
        ("thread_count", "0"),
        ("thread_count", "-3"),
        ("thread_count", "1e3"),
        ("thread_count", "1_000"),
        ("thread_count", "٣"),
        ("thread_count", "2.0"),
        ("thread_count", ""),
        ("thread_count", "9" * 5000),
        ("poll_interval_millis", "0"),
        ("poll_interval", "many"),
        ("poll_timeout", "5001"),
        ("poll_timeout", "-1"),
        ("idle_poll_timeout", "0"),
        ("timeout", "0"),
        ("timeout", "nan"),
        ("timeout", "inf"),
        ("timeout", "9" * 400),
        ("rate_limit", "0/s"),
        ("rate_limit", "-1/s"),
        ("rate_limit", "100"),
        ("rate_limit", "100/d"),
        ("rate_limit", "1.5/s"),
        ("rate_limit", "2147483648/s"),
        ("rate_limit", "9" * 5000 + "/h"),
        ("domain", "a,b"),
        ("domain", "no_domain"),
        ("domain", " prod"),
        ("domain", "prod\nERROR - forged"),
        ("worker_id", "a\u2028b"),
        ("paused", "maybe"),
        ("register_task_def", ""),
    ],
)
@pytest.mark.parametrize("tier", ["conductor.worker.greet.{}", "CONDUCTOR_WORKER_ALL_{}"])
def test_bad_value_is_refused_with_key_value_and_what_is_accepted(tier: str, property_name: str, text: str):
    key = key_of(tier, property_name)
    (problem,) = refusal([Worker("greet", process_order)], {key: text})
    assert problem.startswith(f"{key}={text[:3]!r}"[:-1])
    assert PROPERTIES[property_name].accepted in problem
    assert "environment" in problem
    assert ("all workers" if "ALL" in tier else "worker 'greet'") in problem
    assert len(problem) < 500


def test_white_space_around_numbers_and_flags_means_nothing():
    options = resolve(
        Worker("greet", process_order),
        {"conductor.worker.greet.thread_count": " 7\n", "conductor.worker.greet.paused": " true "},
    )
    assert (options.thread_count, options.paused) == (7, True)


def test_empty_text_takes_back_what_the_code_says():
    worker = Worker("greet", process_order, domain="dev", worker_id="me", poll_timeout=50, timeout=1)
    environ = {
        f"CONDUCTOR_WORKER_GREET_{name}": "" for name in ("DOMAIN", "WORKER_ID", "POLL_TIMEOUT", "TIMEOUT")
    }
    options = resolve(worker, environ)
    assert (options.domain, options.worker_id, options.poll_timeout, options.timeout) == (None,) * 4
    assert options.sources["domain"].kind == "environment"


def test_all_bad_values_of_a_start_are_reported_once_each():
    environ = {
        "conductor.worker.all.thread_count": "many",
        "CONDUCTOR_WORKER_GREET_POLL_TIMEOUT": "9000",
        "conductor.worker.refund.paused": "perhaps",
        "conductor.worker.stranger.thread_count": "none of ours",
    }
    problems = refusal([Worker("greet", process_order), Worker("refund", refund_order)], environ)
    assert [problem.split("=")[0] for problem in problems] == sorted(environ)[:3]


def test_bad_value_is_reported_even_where_a_stronger_key_hides_it():
    environ = {"conductor.worker.greet.thread_count": "2", "conductor.worker.all.thread_count": "x"}
    (problem,) = refusal([Worker("greet", process_order)], environ)
    assert problem.startswith("conductor.worker.all.thread_count='x'")


def test_poll_interval_is_read_under_both_names():
    worker = Worker("greet", process_order)
    for key in ("conductor.worker.greet.poll_interval", "CONDUCTOR_WORKER_ALL_POLL_INTERVAL_MILLIS"):
        resolution = resolve_all([worker], {key: "250"})
        assert resolution.workers[0].options.poll_interval == 0.25
        assert resolution.workers[0].options.sources["poll_interval"].key == key
        assert resolution.warnings == ()


def test_two_names_of_poll_interval_that_differ_are_warned_about():
    environ = {
        "CONDUCTOR_WORKER_ALL_POLL_INTERVAL": "300",
        "CONDUCTOR_WORKER_ALL_POLL_INTERVAL_MILLIS": "200",
    }
    resolution = resolve_all([Worker("greet", process_order)], environ)
    assert resolution.workers[0].options.poll_interval == 0.2
    (warning,) = resolution.warnings
    assert all(key in warning for key in environ)
    assert warning.endswith("CONDUCTOR_WORKER_ALL_POLL_INTERVAL_MILLIS counts")


def test_stronger_tier_wins_over_the_better_name():
    environ = {
        "conductor.worker.all.poll_interval_millis": "200",
        "CONDUCTOR_WORKER_GREET_POLL_INTERVAL": "300",
    }
    assert resolve(Worker("greet", process_order), environ).poll_interval == 0.3


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("conductor.worker.greet.thread_cuont", "'thread_count'"),
        ("conductor.worker.all.Domain", "'domain'"),
        ("conductor.worker.stranger.polling_interval", "'poll_interval'"),
        ("conductor.worker.greet.xyzzy", "thread_count, domain"),
        ("CONDUCTOR_WORKER_GREET_THREAD_CUONT", "'THREAD_COUNT'"),
        ("CONDUCTOR_WORKER_ALL_PAUSE", "'PAUSED'"),
        ("CONDUCTOR_WORKER_GREET_POL_TIMEOUT", "'POLL_TIMEOUT'"),
        ("conductor.worker.domain", "conductor.worker.all.domain"),
        ("CONDUCTOR_WORKER_THREAD_COUNT", "CONDUCTOR_WORKER_ALL_THREAD_COUNT"),
    ],
)
def test_unknown_property_is_warned_about_with_the_nearest_name(key: str, hint: str):
    (warning,) = resolve_all([Worker("greet", process_order)], {key: "5"}).warnings
    assert warning.startswith(key)
    assert hint in warning


@pytest.mark.parametrize(
    "key",
    [
        "conductor.worker.stranger.thread_count",
        "CONDUCTOR_WORKER_STRANGER_THREAD_COUNT",
        "CONDUCTOR_WORKER_STRANGER_THREAD_CUONT",
        "CONDUCTOR_WORKER_GREET_ALL_THREAD_COUNT",
        "CONDUCTOR_WORKER_GREET_BACK_DOMAIN",
        "CONDUCTOR_SERVER_URL",
        "PATH",
    ],
)
def test_keys_of_others_are_left_alone(key: str):
    assert resolve_all([Worker("greet", process_order)], {key: "5"}).warnings == ()


def test_upper_case_key_of_two_workers_is_refused_once_it_is_set():
    workers = [Worker("my-task", process_order), Worker("my.task", refund_order)]
    assert resolve_all(workers, {"conductor.worker.my-task.thread_count": "2"}).warnings == ()
    (problem,) = refusal(workers, {"CONDUCTOR_WORKER_MY_TASK_THREAD_COUNT": "2"})
    assert "'my-task'" in problem
    assert "'my.task'" in problem


def test_upper_case_key_of_two_options_is_refused_once_it_is_set():
    workers = [Worker("x", process_order), Worker("x_poll", refund_order)]
    (problem,) = refusal(workers, {"CONDUCTOR_WORKER_X_POLL_TIMEOUT": "2"})
    assert "poll_timeout of worker 'x'" in problem
    assert "timeout of worker 'x_poll'" in problem


def test_worker_named_all_is_warned_about_its_keys():
    workers = [Worker("all", process_order), Worker("greet", refund_order)]
    resolution = resolve_all(workers, {"conductor.worker.all.thread_count": "4"})
    assert [resolved.options.thread_count for resolved in resolution.workers] == [4, 4]
    (warning,) = resolution.warnings
    assert "'all'" in warning
    assert "conductor.worker.all.thread_count" in warning
    assert resolve_all(workers, {}).warnings == ()


def test_name_that_is_all_in_upper_case_shares_only_the_upper_case_keys():
    workers = [Worker("All", process_order), Worker("greet", refund_order)]
    environ = {
        "conductor.worker.All.thread_count": "2",
        "CONDUCTOR_WORKER_ALL_THREAD_COUNT": "4",
        "CONDUCTOR_WORKER_ALL_DOMAIN": "a",
    }
    resolution = resolve_all(workers, environ)
    assert [resolved.options.thread_count for resolved in resolution.workers] == [2, 4]
    (warning,) = resolution.warnings
    assert "CONDUCTOR_WORKER_ALL_DOMAIN" in warning
    assert "conductor.worker" not in warning


def test_domain_from_the_environment_that_makes_duplicates_is_refused_with_both_places():
    workers = [Worker("pay", process_order, domain="a"), Worker("pay", refund_order, domain="b")]
    assert len(resolve_all(workers, {}).workers) == 2
    with pytest.raises(DuplicateWorkerError) as caught:
        resolve_all(workers, {"conductor.worker.pay.domain": "c"})
    message = str(caught.value)
    assert all(part in message for part in ("process_order", "refund_order", "conductor.worker.pay.domain"))


def test_duplicates_are_reported_beside_bad_values():
    workers = [Worker("pay", process_order, domain="a"), Worker("pay", refund_order, domain="b")]
    problems = refusal(
        workers, {"conductor.worker.pay.domain": "c", "conductor.worker.pay.thread_count": "no"}
    )
    assert [problem.split()[0] for problem in problems] == ["conductor.worker.pay.thread_count='no':", "two"]


def test_same_worker_given_twice_runs_once():
    worker = Worker("greet", process_order)
    assert len(resolve_all([worker, worker], {}).workers) == 1


def test_startup_line_tells_of_a_rate_limit():
    (resolved,) = resolve_all([Worker("greet", process_order, rate_limit="100/s")], {}).workers
    assert ", rate_limit=100/s, " in startup_line(resolved, pid=1, mode="async", backend="trio")


def test_startup_line_is_the_seeds_with_more_at_its_end():
    worker = Worker("process_order", process_order, poll_interval_millis=1000, domain="dev", poll_timeout=100)
    environ = {
        "conductor.worker.all.domain": "production",
        "CONDUCTOR_WORKER_ALL_THREAD_COUNT": "50",
    }
    (resolved,) = resolve_all([worker], environ).workers
    assert startup_line(resolved, pid=12345, mode="async", backend="trio") == (
        "Conductor Worker[name=process_order, pid=12345, status=active, poll_interval=1000ms, "
        "domain=production, thread_count=50, poll_timeout=100ms, lease_extend=false, "
        "mode=async, backend=trio, "
        "sources=[domain: conductor.worker.all.domain, thread_count: CONDUCTOR_WORKER_ALL_THREAD_COUNT]]"
    )


def test_startup_line_leaves_out_what_there_is_none_of():
    (resolved,) = resolve_all([Worker("greet_sync", process_order, thread_count=10)], {}).workers
    assert startup_line(resolved, pid=63761, mode="thread", backend="asyncio") == (
        "Conductor Worker[name=greet_sync, pid=63761, status=active, poll_interval=100ms, thread_count=10, "
        "poll_timeout=100ms, lease_extend=false, idle_poll_timeout=1000ms, mode=thread, backend=asyncio]"
    )


def test_startup_line_tells_a_pause_and_who_ordered_it():
    environ = {"CONDUCTOR_WORKER_GREET_PAUSED": "yes", "conductor.worker.greet.lease_extend_enabled": "on"}
    (resolved,) = resolve_all([Worker("greet", process_order)], environ).workers
    line = startup_line(resolved, pid=1, mode="thread", backend="asyncio")
    assert "status=paused" in line
    assert "lease_extend=true" in line
    assert "paused: CONDUCTOR_WORKER_GREET_PAUSED" in line


def test_short_idle_poll_timeout_bounds_the_first_poll_on_the_startup_line():
    (resolved,) = resolve_all([Worker("greet", process_order, idle_poll_timeout=50)], {}).workers
    line = startup_line(resolved, pid=1, mode="thread", backend="asyncio")
    assert "poll_timeout=50ms, lease_extend=false, idle_poll_timeout=50ms" in line


def test_everything_that_lists_options_agrees_with_the_table():
    fields = [field.name for field in attrs.fields(WorkerOptions)]
    assert fields == [*(option.field for option in OPTIONS), "sources"]
    names = [option.name for option in DECLARABLE]
    assert list(Settings.__annotations__) == names
    attributes = [field.name for field in attrs.fields(Worker)]
    assert attributes[-len(names) :] == names


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_default_is_a_value_that_is_accepted(option):
    assert option.check(option.default) == option.default


def test_documentation_table_has_a_row_for_each_option():
    head, rule, *rows = options_table().splitlines()
    assert len({row.count("|") for row in (head, rule, *rows)}) == 1
    for option, row in itertools.zip_longest(OPTIONS, rows):
        assert all(f"`{name}`" in row for name in option.properties)
        assert re.search(r"not in code", row) or option in DECLARABLE
