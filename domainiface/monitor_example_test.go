// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// The same port for three monitors. A program that starts one opens the port and gives it the files:
//
//	cmd.ExtraFiles, err = port.Open(ctx, 2)
func ExamplePort_QEMUArgs() {
	ctx := context.Background()
	machine := hosttest.New("eth0")
	nets, err := network.Open(ctx, machine, network.Memory())
	if err != nil {
		fmt.Println(err)
		return
	}
	iface, err := domainiface.Parse(strings.NewReader(`
		<interface type='direct'>
		  <mac address='52:54:00:00:00:01'/>
		  <source dev='eth0' mode='bridge'/>
		  <model type='virtio'/>
		  <driver queues='2'/>
		</interface>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	port, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "web"}, iface)
	if err != nil {
		fmt.Println(err)
		return
	}
	args, err := port.QEMUArgs("", domainiface.Inherited(2))
	fmt.Println(strings.Join(args, " "), err)
	cloud, err := port.CloudHypervisor("", domainiface.Inherited(2))
	fmt.Println("--net", cloud, err)
	body, err := json.Marshal(cloud)
	fmt.Println(string(body), err)
	_, err = port.Firecracker("eth0")
	fmt.Println(strings.ReplaceAll(err.Error(), port.ID.String(), "ID"))
	// Output:
	// -netdev tap,id=hostnet0,fds=3:4 -device virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:00:00:01,mq=on,vectors=6 <nil>
	// --net fd=[3,4],mac=52:54:00:00:00:01,num_queues=4,id=net0 <nil>
	// {"id":"net0","mac":"52:54:00:00:00:01","num_queues":4} <nil>
	// port ID: Firecracker opens taps, its device macvtap0 is none: unsupported operation
}
