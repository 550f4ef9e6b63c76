"""The members of etcd: who they are, who may go, and how they are asked."""

import http.server
import json
import ssl
import threading

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.etcd import (
    Etcd,
    Member,
    forget,
    gateway,
    refuse_loss,
    runs_here,
)

from tests.unit.cache.proxy import authority
from tests.unit.kubeadm.etcds import FakeEtcd, address
from tests.unit.kubeadm.node import Node

PKI = "/etc/kubernetes/pki"


def test_members_are_read_as_the_gateway_writes_them():
    made, begun = Etcd(FakeEtcd("ab", learners="b", nameless="b").ask).members()
    assert made == Member("255", "a", ("https://10.0.0.1:2380",), ("https://10.0.0.1:2379",))
    assert begun == Member("256", "", ("https://10.0.0.2:2380",), learner=True)


def test_an_etcd_that_says_nothing_has_no_members():
    assert Etcd(lambda *_: {}).members() == []


def test_a_member_is_healthy_while_it_answers_and_follows_a_leader():
    etcd = Etcd(FakeEtcd("abc", dead="b", leaderless="c").ask)
    assert [etcd.healthy(member) for member in etcd.members()] == [True, False, False]
    assert not etcd.healthy(Member("1", "x", ("https://10.0.0.1:2380",)))  # nobody knows where to ask it
    zero = Etcd(lambda *_: {"leader": "0"})
    assert not zero.healthy(Member("1", "x", (), ("https://10.0.0.1:2379",)))


@pytest.mark.parametrize(
    ("members", "gone", "ill", "words"),
    [
        ("a", "a", "", "0 members, of which 0 work; it needs 1"),
        ("ab", "b", "", ""),
        ("ab", "b", "b", ""),
        ("ab", "b", "a", "1 members, of which 0 work; it needs 1"),
        ("abc", "c", "", ""),
        ("abc", "c", "c", ""),
        ("abc", "c", "b", "2 members, of which 1 work; it needs 2"),
        ("abc", "bc", "", ""),
        ("abc", "bc", "a", "1 members, of which 0 work; it needs 1"),
        ("abc", "abc", "", "0 members, of which 0 work; it needs 1"),
        ("abcde", "e", "d", ""),
        ("abcde", "e", "cd", "4 members, of which 2 work; it needs 3"),
        ("abcde", "de", "c", ""),
        ("abcde", "de", "bc", "3 members, of which 1 work; it needs 2"),
        ("abcde", "de", "de", ""),
    ],
)
@pytest.mark.parametrize("how", ["dead", "leaderless"])
def test_members_go_only_while_more_than_half_of_the_others_work(members, gone, ill, words, how):
    fake = FakeEtcd(members, **{how: ill})
    if not words:
        refuse_loss(Etcd(fake.ask), list(gone))
    else:
        with pytest.raises(OhmykubeError) as caught:
            refuse_loss(Etcd(fake.ask), list(gone))
        assert caught.value.code == "etcd.quorum"
        assert caught.value.message == f"without {', '.join(gone)}, etcd has {words}"
        assert caught.value.context["members"] == ", ".join(members)
        assert caught.value.hint == "start the other control planes first, or add one"
    assert fake.names() == members  # it only looks


def test_whoever_is_no_member_may_go_however_ill_the_others_are():
    fake = FakeEtcd("abc", dead="ab")
    refuse_loss(Etcd(fake.ask), ["worker-1"])
    assert "maintenance/status" not in fake.asked


def test_one_that_has_not_begun_counts_neither_among_those_that_stay_where_it_goes_too():
    fake = FakeEtcd("abcd", nameless="d", dead="d")
    with pytest.raises(OhmykubeError, match="without c, etcd has 3 members, of which 1 work"):
        refuse_loss(Etcd(FakeEtcd("abcd", nameless="d", dead="b").ask), ["worker-1", "c"])
    refuse_loss(Etcd(fake.ask), ["c"], [address("d")], hint="--force")
    with pytest.raises(OhmykubeError, match=r"without b, c, https://10\.0\.0\.4:2380, etcd has 1 members") as caught:
        refuse_loss(Etcd(FakeEtcd("abcd", nameless="d", dead="a").ask), ["c", "b"], [address("d")], hint="or --force")
    assert caught.value.hint.endswith("; or --force")


def test_a_learner_has_no_vote_neither_when_it_goes_nor_when_it_stays():
    refuse_loss(Etcd(FakeEtcd("abc", learners="c", dead="ab").ask), ["c"])
    with pytest.raises(OhmykubeError, match="2 members, of which 1 work; it needs 2"):
        refuse_loss(Etcd(FakeEtcd("abcd", learners="d", dead="b").ask), ["c"])


def test_another_is_asked_where_it_works():
    fake = FakeEtcd("abcd", dead="b", leaderless="c")
    found = Etcd(fake.ask).elsewhere([*map(address, "bcda")])
    assert [etcd.url for etcd in found] == ["https://10.0.0.4:2379", "https://10.0.0.1:2379"]
    asked = []

    def ask(path, body, url=""):
        asked.append((path, body, url))
        return {"leader": "1"}

    for etcd in Etcd(ask).elsewhere(["fd00::2"]):
        etcd.members()
        etcd.update(Member("1", "a", ()), ["x"])
        etcd.remove(Member("1", "a", ()))
    assert {url for *_, url in asked} == {"https://[fd00::2]:2379"}
    assert len(asked) == 4


def test_members_are_taken_out_by_their_nodes_name():
    fake = FakeEtcd("abc")
    assert forget(Etcd(fake.ask), ["b", "worker-1"], [address("c")]) == ["b"]  # c has a name, and it is another
    assert fake.names() == "ac"
    assert forget(Etcd(fake.ask), ["b"]) == []


def test_one_that_has_not_begun_is_known_by_its_address_alone():
    fake = FakeEtcd("abcd", nameless="cd")
    assert forget(Etcd(fake.ask), ["c"]) == []
    assert forget(Etcd(fake.ask), ["c"], ["", address("c")]) == ["https://10.0.0.3:2380"]
    assert fake.names() == "ab?"


def test_a_control_plane_with_an_etcd_of_its_own_has_its_manifest(tmp_path):
    node = Node(tmp_path)
    assert not runs_here(node.host)
    node.write("/etc/kubernetes/manifests/etcd.yaml")
    assert runs_here(node.host)


@pytest.fixture
def member(tmp_path):
    """The node of a member, its gateway's address, and what was asked of it; who has no certificate is not heard."""
    authority_file, tls = authority(tmp_path)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority_file)
    node, asked = Node(tmp_path / "node"), []
    node.write(f"{PKI}/etcd/ca.crt", authority_file.read_text())
    for kind in ("crt", "key"):
        node.write(f"{PKI}/apiserver-etcd-client.{kind}", (tmp_path / "server.pem").read_text())

    class Gateway(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            broken = self.path.endswith("/remove")
            self.send_response(503 if broken else 200)
            self.end_headers()
            self.wfile.write(b"etcdserver: no leader\n" if broken else b'{"leader": "7"}')

    server = http.server.HTTPServer(("127.0.0.1", 0), Gateway)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield node, f"https://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_gateway_is_asked_with_the_nodes_own_certificate(member):
    node, url, asked = member
    assert gateway(node.host)("maintenance/status", {"a": 1}, url) == {"leader": "7"}
    assert asked == [("/v3/maintenance/status", {"a": 1})]


def test_what_etcd_refuses_is_told_in_its_own_words(member):
    node, url, _ = member
    with pytest.raises(OhmykubeError) as caught:
        gateway(node.host)("cluster/member/remove", {"ID": "7"}, url)
    assert caught.value.code == "etcd.failed"
    assert caught.value.context["output"] == "etcdserver: no leader"  # by which patience knows that it passes


def test_a_member_that_another_authority_vouches_for_is_not_believed(member, tmp_path):
    node, url, asked = member
    (tmp_path / "other").mkdir()
    node.write(f"{PKI}/etcd/ca.crt", authority(tmp_path / "other")[0].read_text())
    with pytest.raises(OhmykubeError, match="certificate verify failed"):
        gateway(node.host)("maintenance/status", {}, url)
    assert asked == []
