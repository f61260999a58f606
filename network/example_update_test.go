// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// A document is updated by itself, as virsh net-update words it.
func ExampleNetwork_Updated() {
	n, err := network.Parse(strings.NewReader(`<network><name>lab</name><ip address='10.7.0.1' prefix='24'/></network>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	printer := network.Update{
		Section: network.SectionDHCPHost,
		Command: network.CommandAddLast,
		XML:     `<host mac='52:54:00:00:00:07' name='printer' ip='10.7.0.7'/>`,
	}
	n, err = n.Updated(printer)
	fmt.Println(n.IPs[0].DHCP.Hosts[0].Name, err)
	_, err = n.Updated(printer)
	fmt.Println(err)
	// Output:
	// printer <nil>
	// 1:1: /host: /network/ip[1]/dhcp has one with mac "52:54:00:00:00:07", name "printer", ip "10.7.0.7" already: host[1] [update-exists]
}

// A network that runs is changed by what differs. What guests would notice is refused unless it is asked for.
func ExampleManager_Update() {
	ctx := context.Background()
	nets, err := network.Open(ctx, hosttest.New("eth0"), network.Memory())
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := network.Parse(strings.NewReader(`<network><name>lab</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid>
<forward mode='nat'/><bridge name='br0' stp='off'/><mac address='52:54:00:00:00:01'/><ip address='10.7.0.1' prefix='24'/></network>`))
	if err == nil {
		err = nets.Create(ctx, n)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	request := network.UpdateRequest{Updates: []network.Update{{
		Section: network.SectionBridge,
		Command: network.CommandModify,
		XML:     `<bridge stp='on' delay='4'/>`,
	}}}
	plan, err := nets.PlanUpdate(ctx, "lab", request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(plan)
	_, err = nets.Update(ctx, "lab", request)
	fmt.Println(errors.Is(err, network.ErrDisruptive))
	request.Disruptive = true
	_, err = nets.Update(ctx, "lab", request)
	fmt.Println(err)
	// Output:
	// link set br0 address 52:54:00:00:00:01 stp_state on forward_delay 400 (was address 52:54:00:00:00:01 stp_state off forward_delay 0)  # /network/bridge (disruptive: ports may stop for the forward delay)
	// true
	// <nil>
}
