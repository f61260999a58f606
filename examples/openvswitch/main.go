// SPDX-License-Identifier: Apache-2.0

// Command openvswitch attaches a guest to a bridge of Open vSwitch in a VLAN, waits for Enter, tells what has passed, and
// takes it away again. A logical port of OVN that is called as the interface id is bound to it. It needs root.
//
//	openvswitch br-int 10 09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f
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
)

const document = `
<interface type='bridge'>
  <source bridge='%s'/>
  <virtualport type='openvswitch'><parameters interfaceid='%[3]s'/></virtualport>
  <vlan><tag id='%[2]s'/></vlan>
  <bandwidth><inbound average='10000'/></bandwidth>
</interface>`

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: openvswitch BRIDGE VLAN INTERFACEID")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, bridge, vlan, id string) (err error) {
	backend, err := linux.Open(linux.Config{})
	if err != nil {
		return err
	}
	defer backend.Close()
	nets, err := network.Open(ctx, backend, network.Memory())
	if err != nil {
		return err
	}
	nic, err := domainiface.Parse(strings.NewReader(fmt.Sprintf(document, bridge, vlan, id)))
	if err != nil {
		return err
	}
	port, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "web"}, nic)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, port.Detach(ctx)) }()
	fmt.Print(port.Built)

	fmt.Printf("guest %s is on %s by %s; Enter ends it\n", port.MAC, bridge, port.Link)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	passed, err := port.Counters(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("the guest has sent %d packets and received %d\n", passed.Sent.Packets, passed.Received.Packets)
	return nil
}
