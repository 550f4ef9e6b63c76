"""The JSON Schema of the cluster file, for editors and for those who write such files by program."""

from typing import Any

from ohmykube.model.quantity import format_bytes
from ohmykube.model.spec import API_VERSION, Cluster

# What the command line fills in where a file does not say it.
_FILLED_IN = {
    "Cluster": ("apiVersion", "kind", "metadata", "spec"),
    "Metadata": ("name",),
    "Spec": ("kubernetesVersion", "provider"),
}


def schema() -> dict[str, Any]:
    made = Cluster.model_json_schema(by_alias=True)
    parts = made["$defs"]
    for name, field in (("Kubeadm", "read"), ("Hook", "sum"), ("NodeFile", "sum"), ("AddonWish", "files")):
        del parts[name]["properties"][field]  # written by ohmykube
    del parts["Spec"]["properties"]["kubeadm"]["default"]["read"], parts["KubeadmRead"]
    for name, part in (("Cluster", made), *parts.items()):
        required = [key for key in part.pop("required", ()) if key not in _FILLED_IN.get(name, ())]
        part |= {"required": required} if required else {}
        part.pop("title")
        for field in part["properties"].values():
            field.pop("title", None)  # the key once more
            if "number" in field.get("type", ()) and "default" in field:
                field["default"] = format_bytes(field["default"])  # a bare number is GB
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": f"Cluster file ({API_VERSION})", **made}
