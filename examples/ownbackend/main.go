// SPDX-License-Identifier: Apache-2.0

// Command ownbackend shows that a backend is two methods: one of its own prints each operation, with the time it took,
// around a machine in memory. The same goes around the Linux backend, or in front of a remote host.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// A narrator is a backend that tells what another one does.
type narrator struct{ host.Backend }

func (n narrator) Do(ctx context.Context, op host.Op) error {
	start := time.Now()
	err := n.Backend.Do(ctx, op)
	fmt.Printf("%10s  %s\n", time.Since(start).Round(time.Microsecond), op)
	return err
}

const document = `
<network>
  <name>lab</name>
  <forward mode='route'/>
  <bridge name='lab0' stp='off'/>
  <ip address='10.20.30.1' prefix='24'/>
</network>`

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	machine := hosttest.New("eth0")
	nets, err := network.Open(ctx, narrator{machine}, network.Memory())
	if err != nil {
		return err
	}
	definition, err := network.Parse(strings.NewReader(document))
	if err != nil {
		return err
	}
	if err := nets.Create(ctx, definition); err != nil {
		return err
	}
	fmt.Print("\nthe machine with the network:\n", machine, "\n")
	return nets.Stop(ctx, "lab")
}
