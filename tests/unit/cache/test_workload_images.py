"""Which images a manifest's workloads run."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.workload_images import workload_images

MANIFEST = """
# a comment alone is a document too
---
apiVersion: v1
kind: List
items:
  - kind: Pod
    spec:
      initContainers: [{image: "init:1"}]
      containers: [{image: "main:1"}, {image: "init:1"}]
      ephemeralContainers: [{image: "debug:1"}]
      volumes: [{name: model, image: {reference: "model:1"}}]
---
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: x, image: "job@sha256:abc"}]}}}}}
---
kind: PodTemplate
template: {spec: {containers: [{image: "template:1"}]}}
---
kind: ConfigMap
data: {image: "not:this"}
---
just a text
"""


def test_every_container_of_every_workload_once() -> None:
    assert workload_images(MANIFEST) == ["init:1", "main:1", "debug:1", "model:1", "job@sha256:abc", "template:1"]
    assert workload_images("") == []


def test_no_yaml() -> None:
    with pytest.raises(OhmykubeError) as caught:
        workload_images("a: [", "web.yaml")
    assert caught.value.code == "manifest.invalid"
    assert caught.value.message.startswith("web.yaml is no YAML")
