"""Settings from a file: what it may say, what wins over it, and what is said about mistakes."""

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyworker
from anyworker import AuthenticationSettings, Configuration, ConfigurationError, MetricsSettings, Worker
from anyworker.option_table import PROPERTIES
from anyworker.options import resolve, resolve_all
from anyworker.settings_file import find_settings, read_settings
from anyworker.settings_table import AUTH, METRICS, RUN, SERVER
from anyworker.toml_lines import line_of

Write = Callable[..., Path]

FULL = """
backend = "trio"
processes = 3
grace = 60
modules = ["my_app.workers", "jobs/orders.py"]
lifespan = "pool.py:pool"
middleware = ["my_app.tracing:traced", "jobs/around.py:Around"]
update_retry_delays = [1, 2.5]

[server]
url = "https://conductor.example/api/"
auth_token_ttl_min = 10
verify_ssl = false
proxy = "http://user:secret@proxy:3128"
connect_timeout = 3
read_timeout = 4.5
write_timeout = 5

[server.auth]
key_id_env = "ORDERS_KEY"
key_secret_env = "ORDERS_SECRET"

[server.headers]
X-Team = "orders"

[workers.all]
thread_count = 10
poll_interval = 250

[workers."charge.card"]
thread_count = 20
domain = "eu"
paused = true
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes a settings file into the working directory."""
    monkeypatch.chdir(tmp_path)

    def writes(text: str, name: str = "anyworker.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return writes


def problems(text: str, write: Write, **options: str) -> tuple[str, ...]:
    """Return what is said about a file."""
    write(text, **options)
    with pytest.raises(ConfigurationError) as caught:
        Configuration.from_file(options.get("name", "anyworker.toml"), environ={})
    return caught.value.problems


def work() -> None: ...


def test_server_comes_from_the_file_and_each_value_tells_its_key(write: Write) -> None:
    write(FULL)
    environ = {"ORDERS_KEY": "k", "ORDERS_SECRET": "s"}
    found = Configuration.from_file(environ=environ)
    assert found.server_api_url == "https://conductor.example/api"
    assert (found.verify_ssl, found.connect_timeout, found.read_timeout) == (False, 3, 4.5)
    assert found.headers == {"X-Team": "orders"}
    assert found.proxy == "http://user:secret@proxy:3128"
    assert found.authentication_settings is not None
    assert found.authentication_settings.key_secret == "s"
    assert found.sources["server_api_url"] == "anyworker.toml:server.url"
    assert found.sources["headers"] == "anyworker.toml:server.headers"
    assert found.sources["ssl_ca_cert"] == "default"
    assert found.sources["authentication_settings"] == (
        "anyworker.toml:server.auth.key_id_env (ORDERS_KEY), "
        "anyworker.toml:server.auth.key_secret_env (ORDERS_SECRET)"
    )


def test_environment_wins_over_the_file_for_the_server(write: Write) -> None:
    write(FULL)
    environ = {
        "CONDUCTOR_SERVER_URL": "http://other/api",
        "CONDUCTOR_AUTH_KEY": "mine",
        "CONDUCTOR_AUTH_SECRET": "own",
        "HTTP_PROXY": "http://another:1",
    }
    found = Configuration.from_file("anyworker.toml", environ=environ)
    assert found.server_api_url == "http://other/api"
    assert found.authentication_settings is not None
    assert found.authentication_settings.key_id == "mine"
    assert found.proxy == "http://another:1"
    assert found.sources["server_api_url"] == "CONDUCTOR_SERVER_URL"
    assert found.sources["proxy"] == "HTTP_PROXY"
    assert found.read_timeout == 4.5


def test_options_go_environment_then_file_then_code(write: Write) -> None:
    write(FULL)
    file = read_settings("anyworker.toml")
    worker = Worker("charge.card", work, thread_count=1, poll_interval_millis=1, lax=True)
    options = resolve(worker, {}, file)
    assert (options.thread_count, options.poll_interval, options.domain) == (20, 0.25, "eu")
    assert options.paused
    assert options.lax
    assert str(options.sources["thread_count"]) == 'anyworker.toml:workers."charge.card".thread_count'
    assert str(options.sources["poll_interval"]) == "anyworker.toml:workers.all.poll_interval"
    weakest = {"CONDUCTOR_WORKER_ALL_THREAD_COUNT": "30"}
    assert resolve(worker, weakest, file).thread_count == 30
    assert resolve(Worker("other", work, thread_count=1), {}, file).thread_count == 10


def test_an_empty_text_is_none_as_in_the_environment(write: Write) -> None:
    write('[workers.all]\ndomain = ""')
    options = resolve(Worker("w", work, domain="eu"), {}, read_settings("anyworker.toml"))
    assert options.domain is None


def test_a_table_for_no_worker_is_warned_about(write: Write) -> None:
    write("[workers.chrage]\nthread_count = 2")
    resolution = resolve_all([Worker("charge", work)], {}, read_settings("anyworker.toml"))
    assert resolution.warnings == (
        "anyworker.toml: [workers.chrage] is for no worker that is here; did you mean 'charge'?",
    )


def test_pyproject_has_it_in_a_table_of_its_own(write: Write) -> None:
    write('[project]\nname = "x"\n[tool.anyworker.workers.all]\nthread_count = 5\n', name="pyproject.toml")
    found = Configuration.from_file(environ={})
    assert found.file is not None
    options = resolve(Worker("w", work), {}, found.file)
    assert options.thread_count == 5
    assert str(options.sources["thread_count"]) == "pyproject.toml:tool.anyworker.workers.all.thread_count"


def test_the_own_file_comes_before_pyproject(write: Write, tmp_path: Path) -> None:
    assert find_settings(tmp_path) is None
    write("[tool.other]", name="pyproject.toml")
    assert find_settings(tmp_path) is None
    write("[tool.anyworker]\ngrace = 1", name="pyproject.toml")
    found = find_settings(tmp_path)
    assert found is not None
    assert found.run["grace"].value == 1
    write("grace = 2")
    found = find_settings(tmp_path)
    assert found is not None
    assert found.run["grace"].value == 2


def test_a_table_of_pyproject_that_does_not_count_is_warned_about(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("grace = 2")
    write("broken [", name="pyproject.toml")
    find_settings(tmp_path)
    assert not caplog.records
    write("[tool.anyworker]", name="pyproject.toml")
    find_settings(tmp_path)
    [record] = caplog.records
    assert record.message == "[tool.anyworker] in pyproject.toml is passed over: anyworker.toml counts"


def test_a_process_that_has_only_some_workers_is_told_of_these_only(write: Write) -> None:
    write("[workers.one]\nthread_count = 3\n[workers.two]\nthread_count = 4\n[workers.all]\nlax = true\n")
    whole = Configuration.from_file(environ={})
    part = whole.for_workers({"one"}).file
    assert part is not None
    assert whole.file is not None
    assert (set(part.workers), set(whole.file.workers)) == ({"one", "all"}, {"one", "two", "all"})
    assert not resolve_all([Worker("one", work)], {}, part).warnings
    assert Configuration(environ={}).for_workers({"one"}).file is None


def test_without_a_file_the_environment_counts(write: Write) -> None:
    found = Configuration.from_file(environ={"CONDUCTOR_SERVER_URL": "http://other/api"})
    assert (found.server_api_url, found.file) == ("http://other/api", None)


def test_paths_are_meant_from_the_files_directory(write: Write, tmp_path: Path) -> None:
    path = write('modules = ["jobs/orders.py", "my_app.workers", "one.py"]', name="deploy/anyworker.toml")
    modules = read_settings(path).run["modules"].value
    assert modules == [
        str(tmp_path / "deploy/jobs/orders.py"),
        "my_app.workers",
        str(tmp_path / "deploy/one.py"),
    ]
    (tmp_path / "deploy/secret").write_text("hush")
    write(
        '[server.auth]\nkey_id = "k"\nkey_secret_file = "secret"\n',
        name="deploy/anyworker.toml",
    )
    settings = Configuration.from_file(path, environ={}).authentication_settings
    assert settings is not None
    assert settings.key_secret_file == str(tmp_path / "deploy/secret")


def test_a_configuration_with_its_file_reaches_another_process(write: Write) -> None:
    write("[workers.all]\nthread_count = 3")
    found = pickle.loads(pickle.dumps(Configuration.from_file(environ={})))
    assert resolve(Worker("w", work), {}, found.file).thread_count == 3


# ---------------------------------------------------------------- mistakes


def test_all_mistakes_are_named_with_file_line_and_key(write: Write) -> None:
    said = problems(
        'backend = "tria"\ngrase = 3\n\n[server]\nurl = 5\nverify = true\n\n'
        "[workers.charge]\nthread_count = 0\ndomian = 'eu'\n",
        write,
    )
    assert said == (
        "anyworker.toml, line 1: backend='tria': expected one of asyncio, uvloop, trio",
        "anyworker.toml, line 2: grase: unknown key, did you mean 'grace'?",
        "anyworker.toml, line 5: server.url=5: expected the API's URL, such as http://localhost:8080/api",
        "anyworker.toml, line 6: server.verify: unknown key, did you mean 'verify_ssl'?",
        "anyworker.toml, line 9: workers.charge.thread_count=0: expected an integer from 1 to 2147483647",
        "anyworker.toml, line 10: workers.charge.domian: unknown key, did you mean 'domain'?",
    )


@pytest.mark.parametrize(
    "line",
    [
        "processes = 0",
        "processes = true",
        'processes = "many"',
        "grace = -1",
        "grace = nan",
        'grace = "1"',
        'modules = "workers"',
        "modules = [1]",
        "update_retry_delays = [-1]",
        "server = 1",
        "workers = []",
        "workers.all = 1",
        "workers.all.thread_count = '1'",
        "workers.all.poll_timeout = 5001",
        "workers.all.lax = 1",
        "server.connect_timeout = 0",
        "server.auth_token_ttl_min = inf",
        "server.proxy = false",
        "server.headers.a = 1",
        "server.auth = 'x'",
    ],
)
def test_a_value_that_is_not_accepted_is_refused_by_its_line(line: str, write: Write) -> None:
    [problem] = problems(line, write)
    assert problem.startswith("anyworker.toml, line 1: ")
    assert "expected" in problem


def test_what_the_configuration_refuses_is_placed_in_the_file(write: Write) -> None:
    said = problems(
        '[server]\nurl = "conductor"\nssl_ca_cert = "none.pem"\nheaders = { Host = "x" }\n'
        'auth = { key_id = "k" }\n',
        write,
    )
    assert len(said) == 4
    assert "key_secret_env" in said[0]
    assert "(anyworker.toml, line 2: server.url): it must begin with http" in said[1]
    assert any("line 3: server.ssl_ca_cert" in each and "cannot be read" in each for each in said)
    assert any("line 4: server.headers" in each and "belongs to the client" in each for each in said)


def test_a_secret_in_the_file_is_refused_and_not_shown(write: Write) -> None:
    [problem] = problems('[server.auth]\nkey_id = "k"\nkey_secret = "hush"', write)
    assert "key_secret_env" in problem
    assert "hush" not in problem


def test_a_variable_that_is_not_set_is_named(write: Write) -> None:
    [problem] = problems('[server.auth]\nkey_id = "k"\nkey_secret_env = "NOWHERE"', write)
    assert "line 3: server.auth.key_secret_env='NOWHERE': the environment has no such variable" in problem


def test_a_part_of_the_key_said_twice_is_refused(write: Write) -> None:
    write('[server.auth]\nkey_id = "k"\nkey_id_env = "K"\nkey_secret_env = "K"')
    with pytest.raises(ConfigurationError, match=r"server.auth.key_id says the same"):
        Configuration.from_file(environ={"K": "k"})


def test_two_names_of_one_option_are_refused(write: Write) -> None:
    [problem] = problems("[workers.all]\npoll_interval = 1\npoll_interval_millis = 1", write)
    assert "workers.all.poll_interval means the same" in problem


def test_a_dotted_worker_without_quotes_is_explained(write: Write) -> None:
    [problem] = problems("[workers.charge.card]\nthread_count = 1", write)
    assert '[workers."charge.card"]' in problem


def test_a_file_that_is_no_toml_or_is_missing_is_named(write: Write) -> None:
    assert problems("grace = ", write)[0].startswith("anyworker.toml: no valid TOML: ")
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: the settings file cannot be read: No such"):
        Configuration.from_file("nowhere.toml")
    [problem] = problems("[tool.other]", write, name="pyproject.toml")
    assert problem == "pyproject.toml: there is no table [tool.anyworker] in it"


def test_keys_and_defaults_are_those_of_what_they_are_for() -> None:
    run = inspect.signature(anyworker.run).parameters
    defaults = {name: run["import_modules" if name == "modules" else name].default for name in RUN}
    assert defaults == {name: entry.default for name, entry in RUN.items()}
    server = inspect.signature(Configuration).parameters
    assert {"server_api_url" if name == "url" else name for name in SERVER} <= server.keys()
    parts = {name.removesuffix("_env") for name in AUTH}
    assert parts == {field.name for field in attrs.fields(AuthenticationSettings)}
    assert METRICS.keys() <= {field.name for field in attrs.fields(MetricsSettings)}


HEADS = [
    *("", "server", "server.auth", "server.headers", "metrics", "workers", "workers.all"),
    r'workers."a\nb"',
]
KEYS = [*RUN, *SERVER, *AUTH, *METRICS, *PROPERTIES, "server", "workers", "auth", "wrong", r'"a\nb"', "a.b"]
VALUES = [
    *("1", "-1", "0.5", "nan", "true", '""', r'"x\ny"', "[]", "[1]", '["a"]', "{}", "{ a = 1 }"),
    "1979-05-27",
]


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Return tables of keys, known and unknown, with values right and wrong."""
    lines = []
    for head in draw(st.lists(st.sampled_from(HEADS), unique=True)):
        lines += [f"[{head}]"] if head else []
        keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=6))
        lines += [f"{key} = {draw(st.sampled_from(VALUES))}" for key in keys]
    return "\n".join(lines)


@given(documents())
def test_any_file_is_read_or_refused_by_file_and_key(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("settings") / "any.toml"
    path.write_text(text)
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    try:
        found = Configuration.from_file(path, environ={})
        warnings = resolve_all([Worker("one", work)], {}, found.file).warnings
    except ConfigurationError as error:
        refused = error.problems
    assert all(str(path) in said for said in (*refused, *warnings))
    assert all(len(said.splitlines()) == 1 for said in (*refused, *warnings))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 1),
        (("t", "b"), 4),
        (("t", "in", "x"), 5),
        (("t", "deep", "y z"), 8),
        (("t", "nothing"), 3),
        (("nothing",), None),
    ],
)
def test_the_line_of_a_key_is_found(path: tuple[str, ...], line: int | None) -> None:
    text = 'a = 1\n# c\n[t]\nb = "x"\nin = { x = 1 }\n\n[ t . "deep" ] # c\n"y z" = 1\n'
    assert line_of(text, path) == line


def test_files_of_modules_and_parts_are_meant_from_the_directory_of_the_settings(write: Write) -> None:
    directory = write(FULL, name="deploy/anyworker.toml").parent
    run = read_settings("deploy/anyworker.toml").run
    assert run["modules"].value == ["my_app.workers", str(directory / "jobs/orders.py")]
    assert run["lifespan"].value == str(directory / "pool.py:pool")
    assert run["middleware"].value == ["my_app.tracing:traced", str(directory / "jobs/around.py:Around")]
