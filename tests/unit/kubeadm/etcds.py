"""An etcd in memory, asked as its gateway is: numbers are text there, and what is empty or false is left out."""

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError


def address(name):
    """Of a member's node: `b` has 10.0.0.2."""
    return f"10.0.0.{ord(name) - ord('a') + 1}"


class FakeEtcd:
    """Its members are named by letters. dead: they do not answer. leaderless: they do, and follow nobody."""

    def __init__(self, names, *, dead="", leaderless="", learners="", nameless=""):
        self.members = {str(255 + number): self._member(name) for number, name in enumerate(names)}
        for member in self.members.values():
            if member["name"] in learners:
                member["isLearner"] = True
            if member["name"] in nameless:  # it was told of, and has not begun
                del member["name"], member["clientURLs"]
        self.dead, self.leaderless = dead, leaderless
        self.asked = []

    @staticmethod
    def _member(name):
        at = f"https://{address(name)}"
        return {"ID": "", "name": name, "peerURLs": [f"{at}:2380"], "clientURLs": [f"{at}:2379"]}

    def ask(self, path, body, url=""):
        self.asked.append(path)
        if path == "cluster/member/update":
            self.members[body["ID"]]["peerURLs"] = list(body["peerURLs"])
            return {}
        if path == "cluster/member/list":
            return {"members": [{**member, "ID": number} for number, member in self.members.items()]}
        if path == "cluster/member/remove":
            del self.members[body["ID"]]
            return {}
        assert path == "maintenance/status"
        (name,) = [name for name in "abcde" if url == f"https://{address(name)}:2379"]
        if name in self.dead:
            raise OhmykubeError("etcd.failed", f"{name} does not answer")
        return {"version": "3.6.6"} if name in self.leaderless else {"leader": "255"}

    def peers(self):
        return {member["name"]: member["peerURLs"] for member in self.members.values()}

    def names(self):
        return "".join(member.get("name", "?") for member in self.members.values())
