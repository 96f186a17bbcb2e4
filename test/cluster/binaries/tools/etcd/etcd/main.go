// etcd as upstream's own main package has it; that one is called server, and so would the program be.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
