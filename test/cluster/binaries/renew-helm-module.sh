#!/bin/sh
# Writes tools/helm/go.mod and go.sum anew for one release of Helm:
#   ./renew-helm-module.sh v3.21.4
# Only for changes of version, and after renew-kube-module.sh; then also change helmVersion in
# binary-table.ts. Take a release that was made for the cluster's version of Kubernetes.
#
# Where Helm needs what Kubernetes needs too, it gets what tools/kube pins: then four fifths of its
# packages are compiled already when Kubernetes is. Not OpenTelemetry: Helm needs packages of it that the
# older version does not have.
set -eu
release=$1
cd "$(dirname "$0")/tools/helm"
export GOWORK=off GOFLAGS=-mod=mod
{
  echo "module lockstep.invalid/cluster/helm"
  echo
  sed -n 's/^go .*$/&/p' ../kube/go.mod | head -n 1
  echo
  echo "tool helm.sh/helm/v3/cmd/helm"
  echo
  echo "require helm.sh/helm/v3 $release"
  echo
  sed -n '/^replace (/,/^)/p' ../kube/go.mod | grep -v opentelemetry
} > go.mod
rm -f go.sum
go mod tidy
# Replacements that are not used by anything here would only be noise.
used=$(sed -n 's/^\([^ ]*\) .*$/\1/p' go.sum | sort -u)
sed -n 's/^\t\([^ ]*\) => .*$/\1/p' go.mod | while read -r path; do
  echo "$used" | grep -qxF "$path" || go mod edit -dropreplace="$path"
done
go mod tidy
