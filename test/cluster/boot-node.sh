#!/usr/bin/env bash
# Boots a node: from the machine's namespaces, in four steps that each replace the one before, to the
# first process of the node's own. Every step is an exec, so the process that the cluster started is
# the parent of the node's first process, and nothing of the node is left when that is killed.
#
#   enter  joins the node's control groups, then new network, mount, UTS, IPC and cgroup namespaces
#   wire   plugs the cable into the cluster's bridge, and sets the addresses and routes
#   root   builds the node's root directory and moves there: /usr and /etc are the machine's (what the
#          node writes to /etc stays on its disk), /var is its disk, everything else its own
#   init   as the child of the node's first process: containerd, the images, kubelet, the daemons
#
# The names in capital letters come from node.ts.
set -euo pipefail

enter() {
  local door
  for door in $CGROUP_DOORS; do echo $$ >"$door"; done
  exec 9</proc/self/ns/net # the way back to the machine's network, for the cable
  exec unshare --net --cgroup --mount --uts --ipc --propagation private -- "$BASH" "$0" wire
}

wire() {
  hostname "$NODE"
  machine ip link delete "$LINK" 2>/dev/null || true # of a node that has just been switched off
  machine ip link add "$LINK" type veth peer name eth0 netns $$
  machine ip link set "$LINK" master "$BRIDGE" "$CABLE"
  ip link set lo up
  ip link set eth0 up
  ip address add "$ADDRESS/24" dev eth0
  ip route add default via "$MACHINE_ADDRESS"
  local route
  for route in $POD_ROUTES; do ip route add "${route%@*}" via "${route#*@}"; done
  echo 1 >/proc/sys/net/ipv4/ip_forward
  echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
  exec 9<&-
  exec "$BASH" "$0" root
}

machine() { nsenter --net=/proc/self/fd/9 "$@"; }

root() {
  local new=$DISK/root
  mkdir -p "$new" "$DISK"/{etc,etc-work} "$DISK"/var/{lib/kubelet,lib/containerd,lib/cni,lib/lockstep-shared,log,tmp,cache}
  mount -t tmpfs -o mode=755 root "$new"
  mkdir -p "$new"/{etc,var,run,tmp,root,proc,sys,dev,old,opt/lockstep/{bin,images,cluster}}
  local top
  for top in usr bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$top" ]; then
      cp -P "/$top" "$new/$top"
    elif [ -d "/$top" ]; then
      mkdir "$new/$top"
      bind_read_only "/$top" "$new/$top"
    fi
  done
  mount -t overlay -o "lowerdir=/etc,upperdir=$DISK/etc,workdir=$DISK/etc-work" etc "$new/etc"
  mount --bind "$DISK/var" "$new/var"
  ln -sfn /run "$DISK/var/run"
  mount --bind "$SHARED" "$new/var/lib/lockstep-shared"
  mount -t tmpfs -o mode=755 run "$new/run"
  mount -t tmpfs -o mode=1777 tmp "$new/tmp"
  mount --rbind /dev "$new/dev"
  mount -t tmpfs -o mode=1777 shm "$new/dev/shm"
  mount -t sysfs sys "$new/sys"
  mount -t proc proc "$new/proc"
  mount_cgroups "$new/sys/fs/cgroup"
  local programs program
  mapfile -t programs <<<"$PROGRAMS"
  for program in "${programs[@]}"; do
    touch "$new/opt/lockstep/bin/${program##*/}"
    bind_read_only "$program" "$new/opt/lockstep/bin/${program##*/}"
  done
  bind_read_only "$IMAGES" "$new/opt/lockstep/images"
  bind_read_only "$(dirname "$0")" "$new/opt/lockstep/cluster"
  cd "$new"
  pivot_root . old
  umount -l /old
  rmdir /old
  mount --make-rshared /
  # The first process reaps, and forwards signals to its child.
  exec unshare --pid --fork --kill-child=KILL --mount-proc --propagation unchanged -- \
    catatonit -- "$BASH" /opt/lockstep/cluster/boot-node.sh init
}

bind_read_only() {
  mount --bind "$1" "$2"
  mount -o remount,ro,bind "$2"
}

# The node sees its own control group as the root of each hierarchy.
mount_cgroups() {
  if [ "$CGROUP_MOUNTS" = 2 ]; then
    mount -t cgroup2 cgroup2 "$1"
    # kubelet hands controllers down from the root, which then may hold no process itself.
    mkdir "$1/system"
    echo $$ >"$1/system/cgroup.procs"
    return
  fi
  mount -t tmpfs -o mode=755 cgroup "$1"
  local pair
  for pair in $CGROUP_MOUNTS; do
    mkdir "$1/${pair%%=*}"
    mount -t cgroup -o "${pair#*=}" cgroup "$1/${pair%%=*}"
  done
}

init() {
  mkdir -p /run/sysctl
  # kubelet insists on writing these; it gets files to write, and the machine keeps its settings.
  local name
  for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
    kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    [ -e "/proc/sys/$name" ] || continue
    cat "/proc/sys/$name" >"/run/sysctl/${name//\//_}"
    mount --bind "/run/sysctl/${name//\//_}" "/proc/sys/$name"
  done
  # A node that was switched off and on again has been booted, and says so.
  cat /proc/sys/kernel/random/uuid >/run/boot_id
  mount --bind /run/boot_id /proc/sys/kernel/random/boot_id

  export PATH=/opt/lockstep/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  supervise containerd containerd --config /etc/containerd/config.toml &
  await_containerd
  import_images pause 2>&1 | tee -a /var/log/import.log # the first pod needs it
  supervise kubelet kubelet --config=/etc/kubernetes/kubelet.yaml --kubeconfig=/etc/kubernetes/kubelet.kubeconfig \
    --hostname-override="$NODE" --node-ip="$ADDRESS" --root-dir=/var/lib/kubelet \
    --node-labels="topology.kubernetes.io/zone=zone-$NODE" &
  supervise kube-proxy kube-proxy --config=/etc/kubernetes/kube-proxy.yaml &
  import_images '' >>/var/log/import.log 2>&1 &
  wait
}

await_containerd() {
  local deadline=$((SECONDS + 60))
  until timeout 5 ctr version >/dev/null 2>&1; do
    if ((SECONDS > deadline)); then
      echo "containerd does not answer within 60 s; the end of its log:"
      tail -n 5 /var/log/containerd.log
      exit 1
    fi
    sleep 0.05
  done
}

# Runs a daemon again a second after it ended, unless the file /run/NAME.stopped says not to.
supervise() {
  local name=$1
  shift
  while :; do
    [ -e "/run/$name.stopped" ] || "$@" >>"/var/log/$name.log" 2>&1 || true
    sleep 1
  done
}

# Imports what the node's disk does not say it has already; what cannot be imported keeps out no other.
import_images() {
  local image done_file failed=0
  for image in /opt/lockstep/images/*"$1"*.tar; do
    done_file=/var/lib/lockstep-imported/${image##*/}
    [ -e "$image" ] && [ ! -e "$done_file" ] || continue
    if ctr --namespace k8s.io images import "$image"; then
      mkdir -p /var/lib/lockstep-imported
      touch "$done_file"
    else
      failed=1
    fi
  done
  return $failed
}

"$@"
