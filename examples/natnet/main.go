// SPDX-License-Identifier: Apache-2.0

// Command natnet starts libvirt's default NAT network on this machine, attaches a guest's interface to it, waits for
// Enter, and takes everything away again. It needs root.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

const document = `
<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>`

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	backend, err := linux.Open(linux.Config{Engine: &serve.Engine{}})
	if err != nil {
		return err
	}
	defer backend.Close()
	nets, err := network.Open(ctx, backend, network.Memory())
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
	defer func() { err = errors.Join(err, nets.Stop(ctx, "default")) }()

	nic, err := domainiface.Parse(strings.NewReader(`<interface type='network'><source network='default'/><model type='virtio'/></interface>`))
	if err != nil {
		return err
	}
	port, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "web"}, nic)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, port.Detach(ctx)) }()
	queues, err := port.Open(ctx, 1) // for the virtual machine monitor
	if err != nil {
		return err
	}
	defer queues[0].Close()

	fmt.Printf("guest %s is on %s by %s; Enter ends it\n", port.MAC, port.Network, port.Link)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
