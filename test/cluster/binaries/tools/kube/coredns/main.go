// CoreDNS with only the plugins that a cluster's DNS needs: upstream's own main package links the SDK
// of every cloud, and takes several times as long to build.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

func init() {
	// Their order is the order in which a query passes through them.
	dnsserver.Directives = []string{
		"reload", "errors", "log", "health", "ready", "cache", "kubernetes", "forward",
	}
}

func main() { coremain.Run() }
