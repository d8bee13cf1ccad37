"""Where the outbox is: what the code, a settings file and the environment say."""

from pathlib import Path

import pytest

from anyworker import Configuration, ConfigurationError, OutboxSettings
from anyworker.settings_report import settings_report


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    file = tmp_path / "anyworker.toml"
    file.write_text('[outbox]\npath = "results.db"\nretention_days = 7\n')
    return Configuration.from_file(file, environ={})


def test_environment_wins_over_the_file_and_the_file_over_the_code(
    configuration: Configuration, tmp_path: Path
) -> None:
    given = OutboxSettings("code.db", retention_days=1, max_results=5)
    in_file = OutboxSettings.of(given, {}, configuration)
    assert in_file == OutboxSettings(str(tmp_path / "results.db"), retention_days=7, max_results=5)
    environ = {"CONDUCTOR_OUTBOX": "env.db", "CONDUCTOR_OUTBOX_WRITE_AHEAD": "true"}
    assert OutboxSettings.of(given, environ, configuration) == OutboxSettings(
        "env.db", write_ahead=True, retention_days=7, max_results=5
    )
    assert OutboxSettings.of("code.db", {}, None) == OutboxSettings("code.db")
    assert OutboxSettings.of(None, {}, None).path is None


def test_report_shows_values_and_sources(configuration: Configuration) -> None:
    environ = {"CONDUCTOR_OUTBOX": "env.db"}
    report = settings_report(configuration, {}, (), environ)["outbox"]
    assert report["path"] == {"value": "env.db", "source": "CONDUCTOR_OUTBOX"}
    assert report["retention_days"]["source"].endswith(":outbox.retention_days")
    assert report["write_ahead"] == {"value": False, "source": "default"}


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        OutboxSettings("", write_ahead=1, retention_days=0, max_results=-1)  # type: ignore[arg-type]
    assert len(raised.value.problems) == 4


@pytest.mark.parametrize(
    ("given", "environ", "words"),
    [
        (5, {}, "expected a path"),
        ("a\0b", {}, "expected the path of a file"),
        (" ", {}, "expected the path of a file"),
        (
            "a",
            {"CONDUCTOR_OUTBOX_MAX_DEATHS": "-1"},
            "CONDUCTOR_OUTBOX_MAX_DEATHS='-1': expected a whole number",
        ),
        ("a", {"CONDUCTOR_OUTBOX_MAX_DEATHS": "9" * 5000}, "expected a whole number, 0 or more"),
        (None, {"CONDUCTOR_OUTBOX_WRITE_AHEAD": "maybe"}, "CONDUCTOR_OUTBOX_WRITE_AHEAD='maybe'"),
        (None, {"CONDUCTOR_OUTBOX_WRITE_AHEAD": "true"}, "needs a path"),
    ],
)
def test_what_cannot_work_is_refused(given: object, environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        OutboxSettings.of(given, environ, None)


def test_unknown_key_of_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "anyworker.toml"
    file.write_text('[outbox]\npth = "results.db"\n')
    with pytest.raises(ConfigurationError, match=r"outbox\.pth"):
        Configuration.from_file(file, environ={})
