#!/usr/bin/env bash
# The floor: the work of `ohmykube up` on machines that answer ssh, as a person in a hurry would script it.
# Everything parallel that can be, the same files, no check, no idempotence, no second try.
#
# Environment: SSH (command and options), PLANE, WORKERS (addresses), PACKAGES, PLANE_IMAGES, WORKER_IMAGES (archives,
# .tar.zst), FILES (a folder with what lies on a node: etc/…), MANIFESTS (files), POOL (a manifest for MetalLB).
set -euo pipefail

each() { # each COMMAND ARG…: on all nodes at once; fails where one fails
  local command=$1 pids=() pid
  shift
  for node in "$@"; do
    "$command" "$node" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
}

on() { # on NODE COMMAND…
  local node=$1
  shift
  $SSH "root@$node" "$@"
}

kubectl() { on "$PLANE" kubectl --kubeconfig=/etc/kubernetes/admin.conf "$@"; }

prepare() {
  # shellcheck disable=SC2086
  cat $PACKAGES | on "$1" 'zstd -dc | tar --extract --ignore-zeros --directory=/'
  tar --create --directory="$FILES" . | on "$1" '
    tar --extract --no-same-owner --directory=/
    cat /etc/hosts.ohmykube >>/etc/hosts
    swapoff -a
    sysctl --quiet --system >/dev/null 2>&1 || true
    systemctl daemon-reload
    systemctl --quiet enable --now containerd kubelet >/dev/null 2>&1 || true
    until test -S /run/containerd/containerd.sock; do sleep 0.1; done'
  local images=$WORKER_IMAGES image
  if [ "$1" = "$PLANE" ]; then images=$PLANE_IMAGES; fi
  for image in $images; do
    on "$1" 'ctr --namespace=k8s.io images import - >/dev/null' <"$image"
  done
}

join() {
  on "$1" "$JOIN --node-name=\$(hostname) --ignore-preflight-errors=SystemVerification >/dev/null 2>&1"
}

# shellcheck disable=SC2086
each prepare $PLANE $WORKERS
on "$PLANE" kubeadm init --config=/etc/kubernetes/kubeadm.yaml --ignore-preflight-errors=SystemVerification >/dev/null
for manifest in $MANIFESTS; do kubectl apply --filename=- <"$manifest" >/dev/null; done
JOIN=$(on "$PLANE" kubeadm token create --print-join-command)
# shellcheck disable=SC2086
each join $WORKERS
kubectl wait --for=condition=Ready nodes --all --timeout=120s >/dev/null
kubectl --namespace=kube-system rollout status deployment/coredns --timeout=120s >/dev/null
kubectl --namespace=metallb-system rollout status deployment/controller --timeout=120s >/dev/null
kubectl --namespace=local-path-storage rollout status deployment/local-path-provisioner --timeout=120s >/dev/null
until kubectl apply --filename=- <"$POOL" >/dev/null 2>&1; do sleep 0.5; done
