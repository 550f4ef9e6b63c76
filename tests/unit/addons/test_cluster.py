"""Add-ons in a cluster: they come in order, again nothing changes, and what leaves takes all it brought."""

from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import installing, removing
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.installing import Wanted, install
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.removing import remove
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.modules import kube_addons, kube_addons_info

from tests.unit.addons.api import Api


@pytest.fixture
def api(tmp_path, monkeypatch):
    monkeypatch.setattr(removing, "_GONE_TIMEOUT", 0)
    return Api(tmp_path)


def thing(kind, name, namespace="", group="", **rest):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": metadata, **rest}


def definition(kind, group):
    spec = {"group": group, "names": {"kind": kind}}
    return thing("CustomResourceDefinition", f"{kind.lower()}s.{group}", "", "apiextensions.k8s.io", spec=spec)


def wanted(name, *items, requires=(), **rest):
    labelled = [{**item, "metadata": {**item["metadata"], "labels": {"ohmykube.dev/addon": name}}} for item in items]
    return Wanted(name, yaml.safe_dump_all(labelled), labelled, requires=requires, timeout=0, **rest)


SPACE, CONFIG = thing("Namespace", "hello"), thing("ConfigMap", "hello", "hello")
WEB = thing("Deployment", "web", "hello", "apps")


def test_again_nothing_changes_and_an_upgrade_takes_away_what_it_no_longer_has(api):
    first = wanted("hello", SPACE, CONFIG, WEB, version="1")
    assert "Deployment/hello/web" in install(api.kubectl, [first], dry_run=False)
    assert install(api.kubectl, [first], dry_run=False) == []
    second = wanted("hello", thing("Secret", "hello", "hello"), WEB, version="2")
    planned = install(api.kubectl, [second], dry_run=True)
    assert "ConfigMap/hello/hello" in planned
    assert "ConfigMap/hello" in api.names()
    assert install(api.kubectl, [second], dry_run=False) == planned
    assert api.deleted == ["ConfigMap/hello"]  # a namespace stays: somebody may have put something there
    assert "Namespace/hello" in api.names()
    assert install(api.kubectl, [second], dry_run=False) == []


def test_an_object_of_a_kind_that_is_in_no_namespace_is_the_same_where_a_chart_gave_it_one(api):
    issuer = thing("Issuer", "own", "hello", "certs.test")
    install(api.kubectl, [wanted("hello", issuer)], dry_run=False)
    (live,) = [item for item in api.items.values() if item["kind"] == "Issuer"]
    del live["metadata"]["namespace"]
    install(api.kubectl, [wanted("hello", issuer, CONFIG)], dry_run=False)
    assert api.deleted == []
    install(api.kubectl, [wanted("hello", CONFIG)], dry_run=False)
    assert api.deleted == ["Issuer/own"]


def test_what_requires_another_comes_when_that_is_ready(api):
    low, high = wanted("low", WEB), wanted("high", CONFIG, requires=("low",))
    api.unready = {"web"}
    with pytest.raises(OhmykubeError, match=r"not ready: add-on low.*Deployment hello/web: 0 of 1 available"):
        install(api.kubectl, [high, low], dry_run=False)
    assert "ConfigMap/hello" not in api.names()
    api.unready = set()
    install(api.kubectl, [high, low], dry_run=False)
    assert "ConfigMap/hello" in api.names()


def test_ready_is_what_the_api_server_says_of_each_kind(api):
    service = thing("APIService", "v1.metrics", "", "apiregistration.k8s.io")
    api.unready = {"v1.metrics"}
    with pytest.raises(OhmykubeError, match=r"APIService v1\.metrics is not Available: why not"):
        install(api.kubectl, [wanted("a", service)], dry_run=False)
    with pytest.raises(OhmykubeError, match="Deployment hello/made is not there yet"):
        install(api.kubectl, [wanted("b", CONFIG, ready=("Deployment/hello/made",))], dry_run=False)


def test_of_two_side_by_side_one_that_fails_does_not_hold_the_other(api, monkeypatch):
    broken = Wanted("broken", "", [CONFIG], timeout=0)
    real = installing.applying.apply

    def apply(kubectl, text, **rest):
        if "ohmykube-addon-broken" in text:
            raise OhmykubeError("kubectl.failed", "forbidden")
        return real(kubectl, text, **rest)

    monkeypatch.setattr(installing.applying, "apply", apply)
    with pytest.raises(OhmykubeError) as caught:
        install(api.kubectl, [broken, wanted("good", WEB)], dry_run=False)
    assert caught.value.message == "add-on broken: forbidden"
    assert "Deployment/web" in api.names()


def test_an_empty_manifest_takes_nothing_away(api):
    install(api.kubectl, [wanted("hello", CONFIG)], dry_run=False)
    with pytest.raises(OhmykubeError, match="has no objects"):
        install(api.kubectl, [wanted("hello")], dry_run=False)
    assert install(api.kubectl, [wanted("hello")], dry_run=True) == [
        "the add-on hello, whose manifest is yet to be fetched"
    ]
    assert "ConfigMap/hello" in api.names()


def test_what_leaves_takes_all_it_brought_and_nothing_else(api):
    foreign = thing("ConfigMap", "foreign", "hello")
    api.add(foreign)
    install(api.kubectl, [wanted("hello", CONFIG, WEB), wanted("other", thing("Secret", "s", "o"))], dry_run=False)
    assert remove(api.kubectl, ["hello", "never"], force=False, dry_run=True) == ["hello"]
    assert remove(api.kubectl, ["hello", "never"], force=False, dry_run=False) == ["hello"]
    assert api.names() == ["ConfigMap/foreign", "ConfigMap/ohmykube-addon-other", "Secret/s"]
    assert remove(api.kubectl, ["hello"], force=False, dry_run=False) == []


def test_those_that_leave_together_leave_in_order_and_what_holds_others_last(api):
    service = thing("APIService", "v1.metrics", "", "apiregistration.k8s.io")
    kinds, custom = definition("Cert", "certs.test"), thing("Cert", "mine", "hello", "certs.test")
    low = wanted("low", SPACE, kinds, custom, WEB, service)
    install(api.kubectl, [low, wanted("high", CONFIG, requires=("low",))], dry_run=False)
    remove(api.kubectl, ["low", "high"], force=False, dry_run=False)
    assert api.deleted == [
        "ConfigMap/hello",
        "ConfigMap/ohmykube-addon-high",
        "Cert/mine",
        "APIService/v1.metrics",
        "Deployment/web",
        "CustomResourceDefinition/certs.certs.test",
        "Namespace/hello",
        "ConfigMap/ohmykube-addon-low",
    ]
    assert api.names() == []


def test_what_somebody_would_lose_is_named_and_goes_only_by_force(api):
    install(api.kubectl, [wanted("hello", SPACE, definition("Cert", "certs.test"))], dry_run=False)
    api.add(thing("PersistentVolumeClaim", "data", "hello"))
    api.add(thing("PersistentVolumeClaim", "elsewhere", "default"))
    api.add(thing("Cert", "theirs", "shop", "certs.test"))
    owned = thing("Cert", "made", "shop", "certs.test")
    owned["metadata"]["ownerReferences"] = [{"kind": "Cert", "name": "theirs"}]
    api.add(owned)
    with pytest.raises(OhmykubeError) as caught:
        remove(api.kubectl, ["hello"], force=False, dry_run=False)
    assert caught.value.code == "addon.in-use"
    assert sorted(caught.value.context["objects"].split("\n")) == [
        "Cert/shop/theirs",
        "PersistentVolumeClaim/hello/data",
    ]
    assert api.deleted == []
    assert remove(api.kubectl, ["hello"], force=True, dry_run=False) == ["hello"]


def test_what_uses_another_add_on_is_no_loss_when_both_leave(api):
    install(api.kubectl, [wanted("certs", definition("Cert", "certs.test"))], dry_run=False)
    install(
        api.kubectl, [wanted("shop", thing("Cert", "shop", "shop", "certs.test"), requires=("certs",))], dry_run=False
    )
    with pytest.raises(OhmykubeError, match="Cert/shop/shop"):
        remove(api.kubectl, ["certs"], force=False, dry_run=False)
    assert remove(api.kubectl, ["certs", "shop"], force=False, dry_run=False) == ["certs", "shop"]
    assert api.deleted[0] == "Cert/shop"
    assert api.names() == []


def test_one_that_is_interrupted_is_finished_by_the_next(api):
    """Its definitions are gone already, so that the API server does not know their kinds."""
    install(api.kubectl, [wanted("hello", CONFIG, thing("Cert", "mine", "hello", "certs.test"))], dry_run=False)
    api.holding = {"hello"}
    with pytest.raises(OhmykubeError, match="the add-on hello is not gone"):
        remove(api.kubectl, ["hello"], force=False, dry_run=False)
    assert "ConfigMap/ohmykube-addon-hello" in api.names()
    api.holding, api.unknown = set(), {"Cert.certs.test"}
    assert remove(api.kubectl, ["hello"], force=False, dry_run=False) == ["hello"]
    assert api.names() == []


LOGIN = ("hello/login/password", "hello/login/cookie")


def login(api):
    return next(item for item in api.items.values() if item["metadata"]["name"] == "login")


def test_a_secret_gets_random_values_once_and_goes_with_its_add_on(api):
    addon = wanted("hello", CONFIG, secrets=LOGIN)
    assert "Secret/hello/login" in install(api.kubectl, [addon], dry_run=True)
    assert "Secret/login" not in api.names()
    assert "Secret/hello/login" in install(api.kubectl, [addon], dry_run=False)
    made = dict(login(api)["stringData"])
    assert sorted(made) == ["cookie", "password"]
    assert len(set(made.values())) == 2
    assert all(len(value) == 32 for value in made.values())
    words = [word for call in api.calls for word in call]
    assert not any(value in word for value in made.values() for word in words)
    assert not any(Path(word.partition("=")[2]).exists() for word in words if word.startswith("--filename="))
    for dry_run in (True, False):
        assert install(api.kubectl, [addon], dry_run=dry_run) == []
    assert login(api)["stringData"] == made
    assert install(api.kubectl, [wanted("hello", WEB, secrets=LOGIN)], dry_run=False)  # a new version
    assert login(api)["stringData"] == made
    assert remove(api.kubectl, ["hello"], force=False, dry_run=False) == ["hello"]
    assert api.names() == []


def test_a_secret_of_somebody_elses_is_left_alone_and_stays(api):
    api.add(thing("Secret", "login", "hello", stringData={"password": "theirs"}))
    install(api.kubectl, [wanted("hello", CONFIG, secrets=LOGIN)], dry_run=False)
    assert login(api)["stringData"] == {"password": "theirs"}
    remove(api.kubectl, ["hello"], force=False, dry_run=False)
    assert api.names() == ["Secret/login"]


def test_a_secret_that_is_no_longer_asked_for_goes(api):
    install(api.kubectl, [wanted("hello", CONFIG, secrets=LOGIN)], dry_run=False)
    assert install(api.kubectl, [wanted("hello", CONFIG)], dry_run=False)[-1] == "Secret/hello/login"
    assert "Secret/login" not in api.names()


def test_a_secret_is_there_before_its_workload_is_waited_for(api):
    api.unready = {"web"}
    with pytest.raises(OhmykubeError, match="not ready"):
        install(api.kubectl, [wanted("hello", WEB, secrets=LOGIN)], dry_run=False)
    assert "Secret/login" in api.names()


def test_the_modules(api, tmp_path):
    item = wanted("hello", WEB)
    told = {"name": "hello", "version": "1", "manifest": item.manifest, "objects": list(item.objects), "timeout": 0}
    options = {"addons": [told], "absent": [], "force": False}
    assert kube_addons.run(options, api.kubectl.host, check_mode=False)["changed"]
    assert not kube_addons.run(options, api.kubectl.host, check_mode=False)["changed"]
    asked = kube_addons_info.run({"ready": {}}, api.kubectl.host, check_mode=False)
    assert asked["addons"] == {"hello": {"version": "1", "missing": []}}
    gone = kube_addons.run({"addons": [], "absent": ["hello"], "force": False}, api.kubectl.host, check_mode=False)
    assert gone["removed"] == ["hello"]
    assert gone["diff"] == {"before": "hello\n", "after": ""}
    nowhere = Api(tmp_path / "bare")
    nowhere.kubectl.host.path(nowhere.kubectl.kubeconfig).unlink()
    planned = kube_addons.run({**options, "absent": ["old"]}, nowhere.kubectl.host, check_mode=True)
    assert planned["changes"] == ["the add-on hello, in a cluster that is yet to be made"]
    assert nowhere.calls == []


def test_a_record_is_applied_before_the_rest_as_yaml(api, monkeypatch):
    """kubectl takes a file for JSON where it begins with a brace, and then reads no second document."""
    texts = []
    real = installing.applying.apply
    monkeypatch.setattr(
        installing.applying, "apply", lambda kubectl, text, **rest: (texts.append(text), real(kubectl, text, **rest))[1]
    )
    install(api.kubectl, [wanted("hello", CONFIG, requires=("x",))], dry_run=False)
    record, config = yaml.safe_load_all(texts[0])
    assert texts[0].startswith("---\n")
    assert record["data"] == {"version": "", "kinds": "ConfigMap", "requires": "x"}
    assert config["metadata"]["name"] == "hello"
