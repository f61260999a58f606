// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

func ExampleParse() {
	n, err := network.Parse(strings.NewReader(`
		<network>
		  <name>default</name>
		  <forward/>
		  <ip address='192.168.122.1' netmask='255.255.255.0'/>
		</network>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	subnet, _ := n.IPs[0].Prefix()
	fmt.Println(n.Name, n.Mode(), subnet)
	// Output: default nat 192.168.122.1/24
}

// A reader that is strict refuses what is not known, with its place.
func ExampleReader_Parse() {
	_, err := network.Reader{Strict: true}.Parse(strings.NewReader(`<network>
  <name>lab</name>
  <forwrad mode='nat'/>
  <bridge label='br0'/>
</network>`))
	fmt.Println(err)
	// Output:
	// 3:3: /network/forwrad: there is no element forwrad here [element-unknown]
	// 4:11: /network/bridge/@label: there is no attribute label here [attribute-unknown]
}

// A definition of 2010 is read by who asks for it.
func ExampleReader_ParseAll() {
	all, err := network.Reader{Aliases: true}.ParseAll(strings.NewReader(
		`<interface type='physical' name='fast'><source dev='eth0'/><mode>all</mode></interface>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range all {
		fmt.Println(n.Name, n.Mode(), n.Forward.Interfaces[0].Dev)
	}
	// Output:
	// fast-vepa vepa eth0
	// fast-private private eth0
	// fast-bridge bridge eth0
}

// What is wanted leads to a document, and what cannot serve says why.
func ExampleIntent_Candidates() {
	devices := []network.Device{
		{Name: "eth0", Master: "bond0"},
		{Name: "bond0", Driver: "bond", Up: true, Reflects: schema.Yes},
	}
	for _, c := range network.ExternalSwitching.Candidates(devices) {
		if c.Mode == network.ForwardVEPA {
			fmt.Println(c.Device, c.Serves(), c.Obstacles)
		}
	}
	best := network.ExternalSwitching.Candidates(devices)[0]
	best.Network("outside").WriteTo(os.Stdout)
	// Output:
	// bond0 true []
	// eth0 false [the device is a member of a bridge or bond]
	// <network>
	//   <name>outside</name>
	//   <forward mode='vepa'>
	//     <interface dev='bond0'/>
	//   </forward>
	// </network>
}

// A document is written in libvirt's order and layout, whatever the one was that was read.
func ExampleNetwork_Format() {
	n, err := network.Parse(strings.NewReader(`<network><ip prefix="24" address="10.7.0.1"/><name>lab</name></network>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := n.Format()
	fmt.Printf("%s%v", text, err)
	// Output:
	// <network>
	//   <name>lab</name>
	//   <ip address='10.7.0.1' prefix='24'>
	//   </ip>
	// </network>
	// <nil>
}

// Every element keeps what this library does not know: attributes, elements and, of elements of text, what they have
// besides.
func ExampleNetwork_unknown() {
	n, err := network.Parse(strings.NewReader(`<network colour='red'>
  <name lang='en'>lab</name>
  <ip address='10.7.0.1' prefix='24'>
    <note>for <b>guests</b></note>
  </ip>
</network>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(n.Attrs[0].Name.Local, n.Attrs[0].Value)
	fmt.Println(n.Leaves[0].Name, n.Leaves[0].Attrs[0].Value)
	note := n.IPs[0].Nodes[0]
	for _, part := range note.Nodes {
		fmt.Printf("%s: %q %q\n", note.Name.Local, part.Name.Local, part.Text)
	}
	// Output:
	// colour red
	// name en
	// note: "" "for "
	// note: "b" ""
}

// Everything that is wrong with a document is told at once, with its place.
func ExampleNetwork_Validate() {
	n, err := network.Parse(strings.NewReader(`<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='a-very-long-bridge-name'/>
  <ip address='192.168.122.1' prefix='24'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.123.254'/>
    </dhcp>
  </ip>
</network>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var violations schema.Violations
	if errors.As(n.Validate(), &violations) {
		for _, v := range violations {
			fmt.Printf("line %d, %s: %s\n", v.Line, v.Path, v.Rule)
		}
	}
	// Output:
	// line 4, /network/bridge/@name: bridge-name
	// line 7, /network/ip[1]/dhcp/range[1]/@end: dhcp-range-in-subnet
}

// A network can be made in Go, without a line of XML.
func ExampleNetwork_WriteTo() {
	addr := func(s string) schema.Addr { return schema.Addr{Addr: netip.MustParseAddr(s)} }
	n := &network.Network{
		Name:    "lab",
		Forward: &network.Forward{Mode: network.ForwardNAT},
		IPs: []network.IP{{
			Address:   addr("10.7.0.1"),
			PrefixLen: schema.Num(24),
			DHCP: &network.DHCP{
				Ranges: []network.Range{{Start: addr("10.7.0.10"), End: addr("10.7.0.99")}},
				Hosts:  []network.Host{{MAC: "52:54:00:00:00:01", Name: "web", IP: addr("10.7.0.2")}},
			},
		}},
	}
	if err := n.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	n.WriteTo(os.Stdout)
	// Output:
	// <network>
	//   <name>lab</name>
	//   <forward mode='nat'/>
	//   <ip address='10.7.0.1' prefix='24'>
	//     <dhcp>
	//       <range start='10.7.0.10' end='10.7.0.99'/>
	//       <host mac='52:54:00:00:00:01' name='web' ip='10.7.0.2'/>
	//     </dhcp>
	//   </ip>
	// </network>
}

// What this library does not know is kept, and can be walked.
func ExampleMetadata_Of() {
	n, err := network.Parse(strings.NewReader(`<network>
  <name>lab</name>
  <metadata>
    <app:rack xmlns:app='https://app.example/1'><app:unit>12</app:unit></app:rack>
  </metadata>
</network>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	rack := n.Metadata.Of("https://app.example/1")
	for _, unit := range rack.Nodes {
		fmt.Println(rack.Name.Local, unit.Name.Local, unit.Nodes[0].Text)
	}
	// Output: rack unit 12
}

// Somebody flushes the packet filter while a network runs.
func ExampleManager_Watch() {
	ctx := context.Background()
	machine := hosttest.New("eth0")
	nets, err := network.Open(ctx, machine, network.Memory())
	if err != nil {
		fmt.Println(err)
		return
	}
	lab := &network.Network{
		Name: "lab", Forward: &network.Forward{Mode: network.ForwardNAT}, Bridge: &network.Bridge{Name: "virbr7", STP: schema.Off},
		IPs: []network.IP{{Address: schema.Addr{Addr: netip.MustParseAddr("10.7.0.1")}, PrefixLen: schema.Num(24)}},
	}
	for e, err := range nets.Watch(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e)
		switch e.Kind {
		case network.EventWatching:
			err = nets.Create(ctx, lab)
		case network.EventStarted:
			machine.FlushFilters()
		case network.EventDriftFound:
			fmt.Println("missing because of", e.Plan[0].From)
			err = nets.Stop(ctx, e.Network)
		}
		if err != nil {
			fmt.Println(err)
		}
		if e.Kind == network.EventStopped {
			break
		}
	}
	// Output:
	// watching
	// started network "lab"
	// drift-found network "lab", 1 steps missing
	// missing because of /network/forward
	// stopped network "lab"
}
