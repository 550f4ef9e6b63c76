# Start a machine, detached from the caller. Two stages, as the mounts must be made in a namespace of their own:
# whatever way the machine ends, the kernel takes its mounts away with it, and none was ever seen outside.
#
# CGROUPS      folders to enter, one a line: entered first, so that the cgroup namespace begins there
# HIERARCHIES  "type options path", one a line: mounted anew to show that namespace; empty: no such namespace
# UNIFIED      the machine's folder in the hierarchy of cgroup v2, as seen from there; empty: there is none
# arguments    the command line of systemd-nspawn
# The working folder is the machine's: base (link to the root file system), image (link to what lies upon it, if any),
# upper, work, root.
set -eu
stage=$1
shift
case $stage in
enter)
    printf '%s\n' "$CGROUPS" | while read -r folder; do echo $$ >"$folder/cgroup.procs"; done
    exec setsid --fork unshare --mount --propagation private ${HIERARCHIES:+--cgroup} sh "$0" run "$@"
    ;;
run)
    [ -z "$HIERARCHIES" ] || printf '%s\n' "$HIERARCHIES" | while read -r type options path; do
        umount "$path" # the kernel refuses one hierarchy twice at one place
        mount -t "$type" -o "$options" cgroup "$path"
    done
    # On v2, a cgroup that hands controllers on has no process of its own: this one makes room, nspawn gets another.
    if [ -n "$UNIFIED" ]; then
        mkdir "$UNIFIED/launcher"
        echo $$ >"$UNIFIED/launcher/cgroup.procs"
        for controller in $(cat "$UNIFIED/cgroup.controllers"); do
            echo "+$controller" >"$UNIFIED/cgroup.subtree_control"
        done
    fi
    # nspawn's locks and sockets end with it, however it ends.
    mkdir -p /run/systemd/nspawn
    mount -t tmpfs tmpfs /run/systemd/nspawn
    lower=base
    [ ! -e image ] || lower=image:base
    mount -t overlay -o "lowerdir=$lower,upperdir=upper,workdir=work" overlay root
    boot=0
    code=133
    while [ "$code" = 133 ]; do # 133: the machine wants to boot again
        boot=$((boot + 1))
        code=0
        [ -z "$UNIFIED" ] || mkdir "$UNIFIED/boot-$boot"
        sh -euc '[ -z "$0" ] || echo $$ >"$0"; exec "$@"' "${UNIFIED:+$UNIFIED/boot-$boot/cgroup.procs}" "$@" || code=$?
    done
    exit "$code"
    ;;
esac
