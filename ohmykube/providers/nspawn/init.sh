#!/bin/sh
# The first process of a machine: makes the container look like the computer that systemd and the kubelet expect, and
# hands over to systemd.
# OHMYKUBE_ADDRESS  the machine's address with its prefix length
# OHMYKUBE_GATEWAY  the computer's own address on the bridge
# OHMYKUBE_SECOND_ADDRESS, OHMYKUBE_SECOND_GATEWAY  the same of IPv6

# systemd-nspawn shows parts of /sys; Kubernetes' components look at /sys/module and /sys/fs/bpf as well.
mount --make-rprivate / # a shared mount cannot be moved
mkdir -p /run/sys
mount -t sysfs sysfs /run/sys
mount --move /sys/fs/cgroup /run/sys/fs/cgroup
umount --recursive /sys
mount --move /run/sys /sys
rmdir /run/sys

# Volumes that a pod mounts must reach the kubelet and the other way round.
mount --make-rshared /

# systemd-nspawn mounts cgroup v1 read-only; a plain remount is refused as busy.
for hierarchy in /sys/fs/cgroup/*/; do
    mount -o remount,bind,rw "$hierarchy" 2>/dev/null
done

# A reboot leaves the cgroups of the containers from before, and the kubelet would ask for each of them for 3 seconds.
find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null

# Its cgroup allows it no swap, whatever the computer has; the kubelet would refuse to start.
mount --bind /dev/null /proc/swaps

# Here rather than in a daemon: they do not change, and sshd may answer the moment it runs.
ip link set lo up
ip link set host0 up
ip address replace "$OHMYKUBE_ADDRESS" dev host0
ip route replace default via "$OHMYKUBE_GATEWAY"
if [ -e /proc/net/if_inet6 ]; then
    ip address replace "$OHMYKUBE_SECOND_ADDRESS" dev host0 nodad # it is nobody else's
    ip route replace default via "$OHMYKUBE_SECOND_GATEWAY"
fi

unset OHMYKUBE_ADDRESS OHMYKUBE_GATEWAY OHMYKUBE_SECOND_ADDRESS OHMYKUBE_SECOND_GATEWAY
exec /lib/systemd/systemd
