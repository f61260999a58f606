// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"fmt"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// What an interface gets comes from itself, from its network and from its port group.
func ExampleExplain() {
	n, err := network.Parse(strings.NewReader(`
		<network>
		  <name>floor2</name>
		  <forward mode='bridge'/>
		  <bridge name='ovs2'/>
		  <virtualport type='openvswitch'/>
		  <portgroup name='phones'>
		    <vlan><tag id='103'/></vlan>
		    <virtualport><parameters profileid='voice'/></virtualport>
		  </portgroup>
		</network>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	i, err := domainiface.Parse(strings.NewReader(`
		<interface type='network'>
		  <source network='floor2' portgroup='phones'/>
		  <mtu size='1400'/>
		</interface>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := domainiface.Explain(i, n, domainiface.Hypervisor{}, schema.Rules{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(e)
	vlan, _ := e.Setting("vlan")
	fmt.Println("VLAN", vlan.Value, "by the", vlan.Layer)
	// Output:
	// portgroup                phones       interface  /interface/source/@portgroup
	// type                     bridge       network    /network/forward/@mode
	// device                   ovs2         network    /network/bridge/@name
	// mac table                kernel       default
	// vlan                     103          portgroup  /network/portgroup[1]/vlan
	// bandwidth inbound        unlimited    default
	// bandwidth outbound       unlimited    default
	// isolated                 no           default
	// rx filters               no           default
	// virtualport type         openvswitch  network    /network/virtualport/@type
	// virtualport interfaceid  made up      generated
	// virtualport profileid    voice        portgroup  /network/portgroup[1]/virtualport/parameters/@profileid
	// mtu                      1400         interface  /interface/mtu/@size
	// VLAN 103 by the portgroup
}
