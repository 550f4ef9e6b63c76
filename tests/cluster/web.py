"""A web server in a cluster, behind a load balancer, and how it is asked from this computer."""

import urllib.request
from typing import Any

WEB = """
apiVersion: v1
kind: Namespace
metadata: {name: web}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: web
      image: docker.io/library/busybox:1.37.0
      command: [sh, -euc, "mkdir /www; echo it answers >/www/index.html; exec httpd -f -p 8080 -h /www"]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""


def given(service: dict[str, Any]) -> str:
    """The load balancer's address, empty while there is none."""
    entries = service["status"]["loadBalancer"].get("ingress", [])
    return str(entries[0]["ip"]) if entries else ""


def fetch(place: str) -> str:
    try:
        with urllib.request.urlopen(f"http://{place}/", timeout=3) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
