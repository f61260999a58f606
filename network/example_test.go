// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

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
