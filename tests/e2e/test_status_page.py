"""The status page in a browser: true, live, readable everywhere, and safe from what tasks bring along."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fleet_rig import until
from process_rig import Process, Server, fetch, port_url

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine; Debian's package has it"
)

HOSTILE = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"

SCRIPT = """
import logging, sys
import anyio
import anyworker
logging.basicConfig(level=logging.INFO, stream=sys.stderr)

@anyworker.worker_task("nap", thread_count=7)
async def nap(seconds: float) -> str:
    await anyio.sleep(seconds)
    return "rested"

@anyworker.worker_task("many", thread_count=30)
async def many(seconds: float) -> None:
    await anyio.sleep(seconds)

@anyworker.worker_task("break")
async def broken(seconds: float) -> str:
    raise ValueError(HOSTILE)

HOSTILE = {hostile!r}

if __name__ == "__main__":
    settings = anyworker.MetricsSettings(http_port=0, update_interval=0.1, ui_url="http://conductor.example")
    anyworker.run(processes={processes}, metrics_settings=settings)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def workers(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Process]:
    processes = getattr(request, "param", 1)
    (tmp_path / "main.py").write_text(SCRIPT.format(hostile=HOSTILE, processes=processes))
    running = Process(["main.py"], tmp_path, server.url)
    try:
        running.await_output("Conductor Worker[name=break", processes)
        yield running
    finally:
        running.close()


def status(url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fetch(f"{url}status"))
    return found


@pytest.fixture
def page(browser: "Browser", workers: Process) -> Iterator["Page"]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    opened.on("request", lambda sent: asked.append(sent.url))
    opened.goto(port_url(workers), wait_until="domcontentloaded")
    opened.get_by_text("live", exact=True).wait_for()
    yield opened
    context.close()
    assert complaints == []
    assert {each for each in asked if not each.startswith(("data:", port_url(workers)))} == set()


def rows(page: "Page", table: str) -> list[list[str]]:
    """Return the cells of all rows."""
    found: list[list[str]] = page.locator(f"#{table} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return found


def row(page: "Page", table: str, beginning: str) -> list[str]:
    """Return the cells of the row whose first cell is this."""
    return next((cells for cells in rows(page, table) if cells[0] == beginning), [])


def test_page_shows_what_the_api_says_and_follows_it(page: "Page", workers: Process, server: Server) -> None:
    assert row(page, "workers", "nap")[2:5] == ["0 of 7", "0", "0"]
    long = server.start("nap", seconds=60)
    for _ in range(3):
        server.start("nap", seconds=0.01)
    until(lambda: row(page, "workers", "nap")[2:5] == ["1 of 7", "3", "0"])
    told = next(each for each in status(port_url(workers))["workers"] if each["task_type"] == "nap")
    assert (told["in_hand"], told["slots"], told["done"], told["failed"]) == (1, 7, 3, 0)
    assert 0 < told["rate"] <= 3
    task = server.task(long)
    until(lambda: row(page, "tasks", task["taskId"])[1:4] == ["nap", long, "1"])
    link = page.locator("#tasks a").first
    assert link.get_attribute("href") == f"http://conductor.example/execution/{long}"
    assert page.locator("#stage").inner_text() == "running"


def test_settings_are_shown_with_their_sources_and_no_secret(
    browser: "Browser", server: Server, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(SCRIPT.format(hostile=HOSTILE, processes=1))
    secret = "not-to-be-shown"
    given = {
        "CONDUCTOR_AUTH_KEY": secret,
        "CONDUCTOR_AUTH_SECRET": secret,
        "CONDUCTOR_WORKER_NAP_POLL_INTERVAL": "250",
    }
    running = Process(["main.py"], tmp_path, server.url, **given)
    try:
        running.await_output("Conductor Worker[name=break")
        page = browser.new_page()
        page.goto(port_url(running), wait_until="domcontentloaded")
        until(lambda: rows(page, "settings"))
        shown = {(cells[0], cells[1]): cells[2:] for cells in rows(page, "settings")}
        assert shown["nap", "thread_count"] == ["7", "code"]
        assert shown["nap", "poll_interval_millis"] == ["250", "CONDUCTOR_WORKER_NAP_POLL_INTERVAL"]
        assert shown["the server", "server_api_url"] == [server.url, "CONDUCTOR_SERVER_URL"]
        value, source = shown["the server", "authentication_settings"]
        assert "***" in value
        assert "CONDUCTOR_AUTH_KEY" in source
        page.locator("summary").click()
        assert ["nap", "paused", "false", "default"] in rows(page, "defaults")
        assert secret not in page.content()
        assert secret.encode() not in fetch(f"{port_url(running)}status")
        page.close()
    finally:
        running.close()


def test_server_that_is_away_is_told_with_the_wait_until_the_next_poll(
    browser: "Browser", tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(SCRIPT.format(hostile=HOSTILE, processes=1))
    running = Process(["main.py"], tmp_path, "http://127.0.0.1:9/api")
    try:
        running.await_output("Polling nap fails")
        page = browser.new_page()
        page.goto(port_url(running), wait_until="domcontentloaded")
        until(lambda: "next poll in" in "".join(row(page, "workers", "nap")))
        assert "fails since" in row(page, "workers", "nap")[8]
        [told] = [each for each in status(port_url(running))["workers"] if each["task_type"] == "nap"]
        assert 0 <= told["backs_off"] <= 30
        assert page.title() == "anyworker: degraded"
        page.close()
    finally:
        running.close()


def test_more_tasks_than_are_shown_are_counted(page: "Page", workers: Process, server: Server) -> None:
    for _ in range(25):
        server.start("many", seconds=60)
    until(lambda: row(page, "workers", "many")[2:3] == ["25 of 30"])
    until(lambda: page.locator("#more-tasks").inner_text() == "and 5 more")
    assert page.locator("#tasks tbody tr").count() == 20


def test_failures_are_shown_and_hostile_text_stays_text(page: "Page", server: Server) -> None:
    server.start("break", seconds=0, retryCount=0)
    until(lambda: row(page, "workers", "break")[4:5] == ["1"])
    reason = page.locator("#failures tbody tr td").nth(2)
    assert reason.inner_text() == f"ValueError: {HOSTILE}"
    assert page.locator("#failures img, #failures script").count() == 0
    assert page.title() == "anyworker: ok"


def test_quiet_fleet_is_shown_as_such(page: "Page", workers: Process) -> None:
    workers.send(signal.SIGUSR1)
    until(lambda: page.locator("#stage").inner_text() == "quiet")
    assert row(page, "workers", "nap")[8] == "paused"


@pytest.mark.parametrize("workers", [2], indirect=True)
def test_child_that_dies_is_shown_with_its_restart(page: "Page", workers: Process) -> None:
    name = "process 1 of 2"
    until(lambda: row(page, "processes", name)[3:5] == ["serves", "0"])
    os.kill(int(row(page, "processes", name)[2]), signal.SIGKILL)
    until(lambda: row(page, "processes", name)[3:5] == ["serves", "1"])


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_flows_over_the_edge(page: "Page", server: Server, width: int) -> None:
    server.start("break", seconds=0, retryCount=0)
    server.start("nap", seconds=60)
    until(lambda: row(page, "workers", "break")[4:5] == ["1"])
    page.set_viewport_size({"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(page: "Page", server: Server, scheme: str) -> None:
    server.start("break", seconds=0, retryCount=0)
    server.start("nap", seconds=60)
    until(lambda: row(page, "workers", "break")[4:5] == ["1"])
    page.emulate_media(color_scheme=scheme)
    poor = page.evaluate((Path(__file__).parent / "contrast.js").read_text())
    assert poor == []
    is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    assert is_dark == (scheme == "dark")


def test_page_can_be_read_by_keyboard_and_screen_reader(page: "Page") -> None:
    names = [each.get_attribute("aria-labelledby") for each in page.locator("section").all()]
    assert all(name and page.locator(f"#{name}").count() == 1 for name in names)
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("html").get_attribute("lang") == "en"
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.getAttribute('role')")
    assert focused == "region"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
