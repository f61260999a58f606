// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

func ExampleParse() {
	iface, err := domainiface.Parse(strings.NewReader(`
		<interface type='direct'>
		  <source dev='eth0' mode='bridge'/>
		  <model type='virtio'/>
		  <driver queues='4'/>
		</interface>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(iface.Type, iface.Source.Dev, iface.Source.Mode, iface.Model.Virtio(), iface.Driver.Queues)
	// Output: direct eth0 bridge true 4
}

// What the proposals of 2010 have is read by who asks for it, and written as libvirt has it.
func ExampleReader_Parse() {
	iface, err := domainiface.Reader{Aliases: true}.Parse(strings.NewReader(
		`<interface type='physical'><source dev='eth0'/><target mode='PEPA'/></interface>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	iface.WriteTo(os.Stdout)
	// Output:
	// <interface type='direct'>
	//   <source dev='eth0' mode='private'/>
	// </interface>
}

// An interface can be made in Go, without a line of XML.
func ExampleInterface_Format() {
	iface := &domainiface.Interface{
		Type:        domainiface.Bridge,
		Source:      &domainiface.Source{Bridge: "br0"},
		VirtualPort: &virtualport.VirtualPort{Type: virtualport.OpenVSwitch},
		Model:       &domainiface.Model{Type: domainiface.Virtio},
	}
	text, err := iface.Format()
	fmt.Printf("%s%v", text, err)
	// Output:
	// <interface type='bridge'>
	//   <source bridge='br0'/>
	//   <virtualport type='openvswitch'/>
	//   <model type='virtio'/>
	// </interface>
	// <nil>
}

// Every element keeps what this library does not know.
func ExampleInterface_unknown() {
	iface, err := domainiface.Parse(strings.NewReader(`<interface type='network'>
  <source network='default' rack='7'/>
  <app:owner xmlns:app='https://app.example/1'>alice</app:owner>
</interface>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(iface.Source.Attrs[0].Name.Local, iface.Source.Attrs[0].Value)
	for _, node := range iface.Nodes {
		fmt.Println(node.Name.Space, node.Name.Local, node.Nodes[0].Text)
	}
	// Output:
	// rack 7
	// https://app.example/1 owner alice
}

// All that is wrong with a document is told at once, with its place.
func ExampleInterface_Validate() {
	iface, err := domainiface.Parse(strings.NewReader(`<interface type='bridge'>
  <mac address='01:00:5e:00:00:01'/>
  <source bridge='br0' mode='passthru'/>
  <virtualport type='midonet'/>
</interface>`))
	if iface != nil {
		err = schema.Join(err, iface.Validate())
	}
	var violations schema.Violations
	if errors.As(err, &violations) {
		for _, v := range violations {
			fmt.Println(v.Line, v.Path, v.Rule)
		}
	}
	// Output:
	// 2 /interface/mac/@address mac-unicast
	// 3 /interface/source/@mode token-syntax
	// 4 /interface/virtualport/parameters/@interfaceid virtualport-complete
}

// Some rules are those of a hypervisor.
func ExampleInterface_ValidateOn() {
	iface := &domainiface.Interface{
		Type:   domainiface.Direct,
		Source: &domainiface.Source{Dev: "eth0"},
		MTU:    &domainiface.MTU{Size: schema.Num(1400)},
	}
	fmt.Println(iface.Validate())
	fmt.Println(iface.ValidateOn(domainiface.QEMU(), schema.Rules{}))
	// Output:
	// <nil>
	// /interface/mtu: the hypervisor cannot do this for type direct [hypervisor-mtu]
}

// What is made up comes from the randomness that the caller gives: crypto/rand, or something that repeats in a test.
func ExampleInterface_Complete() {
	iface := &domainiface.Interface{
		Type:   domainiface.Network,
		Source: &domainiface.Source{Network: "default"},
	}
	if complete, err := iface.Complete(rand.Reader); err == nil {
		fmt.Println(complete.MAC.Address.String()[:9])
	}
	complete, err := iface.Complete(strings.NewReader("\x01\x02\x03"))
	if err == nil {
		_, err = complete.WriteTo(os.Stdout)
	}
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 52:54:00:
	// <interface type='network'>
	//   <mac address='52:54:00:01:02:03'/>
	//   <source network='default'/>
	// </interface>
}
