"""The Kubernetes manifests: valid by the schema, settings that exist, and parts that fit each other."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.settings import names
from tests.unit.settings import PRODUCTION
from transcription_proxy.config import load
from transcription_proxy.process.supervisor import GRACE_SECONDS

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
MANIFESTS: list[Any] = [each for file in FILES for each in yaml.safe_load_all(file.read_text())]
VERSIONS = ["1.30", "1.37"]


def named(kind: str) -> Any:
    [found] = [each for each in MANIFESTS if each["kind"] == kind]
    return found


def containers() -> list[Any]:
    return [named(kind)["spec"]["template"]["spec"]["containers"][0] for kind in ("Deployment", "Job")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: each["kind"])
def test_the_schema_accepts_it(manifest: Any, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_mistake_would_be_found() -> None:
    wrong = {**named("Service"), "spec": {"port": 80}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_settings_exist_and_production_starts_with_them() -> None:
    given = named("ConfigMap")["data"]
    secrets = re.findall(r"--from-file=(\w+)", (FOLDER / "settings.yaml").read_text())
    assert {*given, *secrets} <= names()
    assert load({**PRODUCTION, **given, "DATA_DIR": "/nowhere-to-write"}).production
    assert {name for name in PRODUCTION if name not in given} <= set(secrets)


def test_a_pod_gets_the_time_to_end_its_sessions() -> None:
    pod = named("Deployment")["spec"]["template"]["spec"]
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = float(named("ConfigMap")["data"]["DRAIN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] >= pause + drain + GRACE_SECONDS


def test_pods_run_as_the_image_does_and_write_to_their_volumes_alone() -> None:
    assert "--uid 10001" in (FOLDER.parents[1] / "Dockerfile").read_text()
    for kind in ("Deployment", "Job"):
        context = named(kind)["spec"]["template"]["spec"]["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
    for container in containers():
        security = container["securityContext"]
        assert (security["readOnlyRootFilesystem"], security["capabilities"]) == (True, {"drop": ["ALL"]})
    assert len({container["image"] for container in containers()}) == 1


def test_services_probes_and_selectors_fit_each_other() -> None:
    labels = named("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert named("Service")["spec"]["selector"] == labels
    assert named("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert named("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == named("Deployment")["metadata"]["name"]
    container = containers()[0]
    assert container["ports"][0]["containerPort"] == int(named("ConfigMap")["data"]["PORT"])
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/live", "liveness": "/live", "readiness": "/ready"}
    # the job's pods must not get the service's traffic
    assert named("Job")["spec"]["template"]["metadata"]["labels"] != labels
