#!/bin/sh
# Writes tools/kube/go.mod and go.sum anew for one release of Kubernetes and what is built with it:
#   ./renew-kube-module.sh v1.36.3 [coredns v1.14.7] [kwok v0.8.0] [local-path-provisioner v0.0.30]
# Only for changes of version; then also change kubernetesVersion in binary-table.ts.
#
# A dependency's replace directives do not count, so what Kubernetes' own go.mod says is repeated here:
# its parts, which it takes from ./staging, at the version that goes with the release, and everything
# else at exactly the version it was released with. The other programs have to do with those: so all
# share one set of compiled packages, and Kubernetes is what its authors tested.
set -eu
release=$1
coredns=v1.14.7 kwok=v0.8.0 provisioner=v0.0.30
shift
while [ $# -gt 0 ]; do
  case $1 in
    coredns) coredns=$2 ;;
    kwok) kwok=$2 ;;
    local-path-provisioner) provisioner=$2 ;;
    *) echo "unknown program $1; expected coredns, kwok or local-path-provisioner" >&2; exit 2 ;;
  esac
  shift 2
done
parts=v0.${release#v1.}
cd "$(dirname "$0")/tools/kube"
export GOWORK=off GOFLAGS=-mod=mod
theirs=$(go mod download -json "k8s.io/kubernetes@$release" | sed -n 's/^\t"GoMod": "\(.*\)",*$/\1/p')
{
  echo "module lockstep.invalid/cluster/kube"
  echo
  sed -n 's/^go .*$/&/p' "$theirs" | head -n 1
  echo
  echo "tool ("
  for name in kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubectl kubelet; do
    echo "	k8s.io/kubernetes/cmd/$name"
  done
  echo "	sigs.k8s.io/kwok/cmd/kwok"
  echo "	github.com/rancher/local-path-provisioner"
  echo ")"
  echo
  echo "require ("
  echo "	k8s.io/kubernetes $release"
  echo "	github.com/coredns/coredns $coredns"
  echo "	sigs.k8s.io/kwok $kwok"
  echo "	github.com/rancher/local-path-provisioner $provisioner"
  echo ")"
  echo
  echo "replace ("
  staged=$(sed -n 's#^\t\(k8s.io/[a-z-]*\) => ./staging/.*#\1#p' "$theirs")
  for path in $staged; do echo "	$path => $path $parts"; done
  sed -n 's#^\t\([^ ]*\) \(v[^ ]*\)\( // indirect\)*$#\1 \2#p' "$theirs" | while read -r path version; do
    case " $(echo $staged) " in *" $path "*) ;; *) echo "	$path => $path $version" ;; esac
  done
  echo ")"
} > go.mod
rm -f go.sum
go mod tidy
# Replacements that are not used by anything here would only be noise.
used=$(sed -n 's/^\([^ ]*\) .*$/\1/p' go.sum | sort -u)
sed -n 's/^\t\([^ ]*\) => .*$/\1/p' go.mod | while read -r path; do
  echo "$used" | grep -qxF "$path" || go mod edit -dropreplace="$path"
done
go mod tidy
