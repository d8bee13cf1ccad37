"""The example of a deployment: its manifests fit what the process does, and its image's steps work."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import kubernetes_validate
import pytest
import yaml
from process_rig import Process, Server, fetch, port_url

from anyworker.cli import main
from anyworker.option_table import PROPERTIES

ROOT = Path(__file__).parents[2]
HERE = ROOT / "examples" / "deployment"
SETTINGS = tomllib.loads((HERE / "anyworker.toml").read_text())


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((HERE / name).read_text()))


def manifest(kind: str, name: str = "kubernetes.yaml") -> dict[str, Any]:
    [found] = [each for each in manifests(name) if each["kind"] == kind]
    return found


POD: dict[str, Any] = manifest("Deployment")["spec"]["template"]
CONTAINER: dict[str, Any] = POD["spec"]["containers"][0]
HOOK: list[str] = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]


@attrs.frozen
class Step:
    """An instruction of a Dockerfile."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """Those of the list form."""
        listed: list[str] = json.loads(self.text)
        return listed


def dockerfile() -> list[Step]:
    text = re.sub(r"^#.*\n", "", (HERE / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [Step(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def last(name: str) -> Step:
    return [step for step in dockerfile() if step.name == name][-1]


def health_check() -> list[str]:
    return Step("CMD", last("HEALTHCHECK").text.partition("CMD")[2]).words


def parsed(command: list[str]) -> dict[str, Any]:
    """Return what anyworker's command line makes of a command."""
    assert command[0] == "anyworker"
    name, *arguments = command[1:]
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found.make_context(name, arguments).params


@pytest.mark.parametrize("found", manifests("kubernetes.yaml"), ids=lambda each: each["kind"])
def test_manifest_is_what_kubernetes_accepts(found: dict[str, Any]) -> None:
    kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


def test_manifests_mean_the_same_pods() -> None:
    labels = POD["metadata"]["labels"]
    assert manifest("Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert manifest("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert manifest("ScaledObject", "keda.yaml")["spec"]["scaleTargetRef"]["name"] == "greeter"
    assert manifest("Deployment")["metadata"]["name"] == "greeter"


def test_pod_is_killed_after_the_grace_only() -> None:
    hook_and_last_results = 10
    assert POD["spec"]["terminationGracePeriodSeconds"] > SETTINGS["grace"] + hook_and_last_results


def test_hook_tells_the_process_that_the_image_starts() -> None:
    image, hook = parsed(last("CMD").words), parsed(HOOK)
    assert image["pid_file"] == hook["path"]
    assert str(image["pid_file"].parent) in {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}


def test_outbox_is_on_a_volume_because_the_rest_is_read_only() -> None:
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    directory = str(Path(SETTINGS["outbox"]["path"]).parent)
    assert directory in {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {
        volume["name"] for volume in POD["spec"]["volumes"]
    }


def test_user_is_the_same_everywhere_and_not_root() -> None:
    [uid] = {last("USER").text, str(POD["spec"]["securityContext"]["runAsUser"])}
    assert uid != "0"
    assert any(step.name == "RUN" and f"--uid {uid} " in step.text for step in dockerfile())


def test_port_is_the_same_everywhere() -> None:
    port = SETTINGS["metrics"]["http_port"]
    assert [{"name": "http", "containerPort": port}] == CONTAINER["ports"]
    assert last("EXPOSE").text == str(port)
    assert f":{port}/health" in health_check()[-1]
    assert POD["metadata"]["annotations"]["prometheus.io/port"] == str(port)


def test_variables_are_ones_that_are_read() -> None:
    for name in manifest("ConfigMap")["data"]:
        option = name.removeprefix("CONDUCTOR_WORKER_ALL_").lower()
        assert name == "CONDUCTOR_SERVER_URL" or option in PROPERTIES, name


def test_scaling_reads_the_length_of_the_queue(server: Server) -> None:
    scaling_reads_the_length_of_the_queue(server)


@pytest.mark.real_server
def test_scaling_reads_the_length_of_a_real_servers_queue(conductor_url: str) -> None:
    client = Server(conductor_url)
    with client.http:
        scaling_reads_the_length_of_the_queue(client)


def scaling_reads_the_length_of_the_queue(server: Server) -> None:
    """Do as KEDA does: GET the URL, take the number at the place."""
    scaled = manifest("ScaledObject", "keda.yaml")["spec"]
    assert 0 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"]
    [trigger] = scaled["triggers"]
    told = trigger["metadata"]
    assert (trigger["type"], told["valueLocation"]) == ("metrics-api", "greet")
    assert float(told["targetValue"]) > 0

    def asked() -> int:
        path = told["url"].removeprefix(manifest("ConfigMap")["data"]["CONDUCTOR_SERVER_URL"])
        number: int = server.http.get(path).raise_for_status().json()[told["valueLocation"]]
        return number

    before = asked()
    server.start("greet")
    assert asked() == before + 1


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in which the image's steps were run, in place of its root."""
    root = tmp_path_factory.mktemp("image")
    places = {"/venv": root / "venv", "/app": root / "app", "/run": root / "run", "/var": root / "var"}
    for step in dockerfile():
        if step.name == "COPY" and not step.text.startswith("--from"):
            *files, directory = step.text.split()
            assert directory == "/app/"
            places["/app"].mkdir(exist_ok=True)
            for file in files:
                (places["/app"] / file).write_text((HERE / file).read_text())
            # This very anyworker, and a free port.
            for name, was, now in (
                ("requirements.txt", "anyworker", str(ROOT)),
                ("anyworker.toml", "http_port = 8000", "http_port = 0"),
                ("anyworker.toml", "/var/lib", str(places["/var"] / "lib")),
            ):
                if name in files:
                    text = (places["/app"] / name).read_text()
                    assert was in text
                    (places["/app"] / name).write_text(text.replace(was, now))
        if step.name == "RUN":
            # Who runs the tests need not be root, so there is no other user.
            command = re.sub(r"^useradd .*?&&", "", step.text).replace("-o worker", "")
            for place, there in places.items():
                command = re.sub(rf"(?<![\w/]){place}\b", str(there), command)
            command = command.replace("python -m", f"{shlex.quote(sys.executable)} -m")
            done = subprocess.run(
                ["/bin/sh", "-ec", command], capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == 0, done.stderr
    return root


def start(image: Path, server: Server, *prefix: str) -> Process:
    words = [word.replace("/run", str(image / "run")) for word in last("CMD").words]
    command = [*prefix, str(image / "venv" / "bin" / words[0]), *words[1:]]
    program = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    path = f"{image / 'venv' / 'bin'}:{os.environ['PATH']}"
    return Process(["-c", program, *command], image / "app", server.url, PATH=path)


def test_image_runs_is_healthy_and_loses_nothing_at_its_stop(image: Path, server: Server) -> None:
    process = start(image, server)
    try:
        process.await_output("Status: ")
        url = port_url(process)
        [_, port] = url.rstrip("/").rsplit(":", 1)
        check = [word.replace("8000", port) for word in health_check()]
        python = str(image / "venv" / "bin" / "python")
        subprocess.run([python, *check[1:]], timeout=30, check=True)
        workflow = server.start("greet", seconds=2)
        while server.task(workflow)["status"] != "IN_PROGRESS":
            pass
        assert fetch(f"{url}ready")
        hook = [word.replace("/run", str(image / "run")) for word in HOOK]
        subprocess.run([str(image / "venv" / "bin" / hook[0]), *hook[1:]], timeout=30, check=True)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            fetch(f"{url}ready")
        process.send(signal.SIGTERM)
        assert process.end() == 0, process.err
        assert server.task(workflow)["status"] == "COMPLETED"
        assert (
            subprocess.run([python, *check[1:]], timeout=30, check=False, capture_output=True).returncode == 1
        )
    finally:
        process.close()


def test_process_1_stops_at_a_signal(image: Path, server: Server) -> None:
    """Process 1 of a container gets only the signals that it handles."""
    unshare = ["/usr/bin/unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    tried = subprocess.run([*unshare, "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no namespace for processes here: {tried.stderr.decode().strip()}")
    process = start(image, server, *unshare)
    try:
        process.await_output("Status: ")
        assert (image / "run/anyworker/anyworker.pid").read_text().strip() == "1"
        [inside] = children_of(process.process.pid)
        os.kill(inside, signal.SIGTERM)
        assert process.end() == 0, process.err
    finally:
        process.close()


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
