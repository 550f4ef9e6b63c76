"""What the base root file system consists of. A change here makes a new base; machines keep theirs."""

# What a node needs that containerd, the kubelet and Ansible do not bring along, and apt for its owner.
PACKAGES = (
    "ca-certificates",
    "conntrack",
    "dbus",
    "e2fsprogs",
    "ethtool",
    "iproute2",
    "iptables",
    "kmod",
    "libseccomp2",
    "mount",
    "nftables",
    "openssh-server",
    "procps",
    "python3",
    "socat",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tar",
    "util-linux",
    "xz-utils",
    "zstd",
)

# Of no use in a machine that has no seat, no clock and no disk of its own; each would delay its start.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "dbus-org.freedesktop.login1.service",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "getty-static.service",
    "systemd-journal-catalog-update.service",
    "systemd-logind.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
    "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-random-seed.service",
    "systemd-timesyncd.service",
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "kmod-static-nodes.service",
    "modprobe@.service",
)

# path below / → text
FILES = {
    "etc/ssh/sshd_config.d/10-ohmykube.conf": (
        "HostKey /etc/ssh/ssh_host_ed25519_key\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\n"
        "UseDNS no\n"
        "MaxStartups 100\n"
    ),
    "etc/default/locale": "LANG=C.UTF-8\n",
    # Services that do not end would hold up `stop` for a minute and a half each.
    "etc/systemd/system.conf.d/10-ohmykube.conf": "[Manager]\nDefaultTimeoutStopSec=10s\n",
    # /dev/kmsg is there for the kubelet; the computer's kernel log is not the machine's.
    "etc/systemd/journald.conf.d/10-ohmykube.conf": "[Journal]\nReadKMsg=no\n",
    # These would set the computer's own kernel, not the machine's.
    "etc/sysctl.d/50-pid-max.conf": "",
    "etc/sysctl.d/50-coredump.conf": "",
    "etc/sysctl.d/50-default.conf": "",
}
