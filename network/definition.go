// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A definition is a switch in the words of the proposals of 2010: a bridge of the hypervisor, the switch in a network
// card, or none but the one outside. What it says stands in the element itself or, of type bridge, in a <bridge> in it.
type definition struct {
	Type string `xml:"type,attr,omitempty"` // of an <interface>: bridge or physical
	definitionBody
	Bridge *definitionBody `xml:"bridge"`
	schema.Extra
}

// A definitionBody is what a definition says.
type definitionBody struct {
	Name       string             `xml:"name,attr,omitempty"`
	Source     *definitionSource  `xml:"source"`
	Kind       string             `xml:"type,omitempty"`
	Mode       string             `xml:"mode,omitempty"`
	Interfaces []definitionDevice `xml:"interface"`
}

type definitionSource struct {
	Dev string `xml:"dev,attr,omitempty"`
}

// A definitionDevice is a device that a bridge has.
type definitionDevice struct {
	Type string `xml:"type,attr,omitempty"`
	Name string `xml:"name,attr,omitempty"`
}

// The types of definitions: where the switch is.
const (
	inHypervisor = "hypervisor" // a bridge of the host
	inDevice     = "embedded"   // the switch in a network card, or macvtap in its place
	outside      = "ethernet"   // the switch that the host is connected to
)

// allModes is the mode that is all of them.
const allModes = "all"

// ParseAll reads a <network> document as [Reader.Parse] does or, with Aliases, a definition of the proposals of 2010
// and returns the networks that it is, named like it:
//
//	<interface type='bridge' name='br0'/>            mode bridge on the bridge br0
//	<interface type='physical' name='fast'>          mode private on the device eth0
//	  <source dev='eth0'/><mode>PEPA</mode>
//	</interface>
//	<interface type='bridge' name='fast'>            three networks on the device eth0: fast-vepa, fast-private
//	  <bridge>                                       and fast-bridge
//	    <type>embedded</type><mode>all</mode>
//	    <interface type='ethernet' name='eth0'/>
//	  </bridge>
//	</interface>
//
// The type is hypervisor when absent, in one with type='physical' embedded, and may be ethernet: the switch is
// outside, which is mode vepa. Without a mode it is all that the type has. A <bridge> may be the root element too. What
// a definition says besides is refused, since it would be lost.
func (how Reader) ParseAll(r io.Reader) ([]*Network, error) {
	if !how.Aliases {
		n, err := how.Parse(r)
		if n == nil {
			return nil, err
		}
		return []*Network{n}, err
	}
	text, err := io.ReadAll(io.LimitReader(r, schema.MaxSize+1))
	if err != nil {
		return nil, err
	}
	switch root := rootOf(text); root {
	case "interface", "bridge":
		return parseDefinition(text, root)
	}
	n, err := how.parse(bytes.NewReader(text))
	if n == nil {
		return nil, err
	}
	return []*Network{n}, err
}

// rootOf returns the name of the root element, "" when there is none.
func rootOf(text []byte) string {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		tok, err := d.RawToken()
		if err != nil {
			return ""
		}
		if start, ok := tok.(xml.StartElement); ok {
			return start.Name.Local
		}
	}
}

func parseDefinition(text []byte, root string) ([]*Network, error) {
	d := new(definition)
	src, _, err := schema.Reader{Strict: true}.Read(bytes.NewReader(text), root, d)
	if err != nil {
		return nil, err
	}
	c := schema.NewCheck(root, schema.Rules{})
	networks := d.networks(c, root == "bridge")
	if err := c.Err(src); err != nil {
		return nil, err
	}
	return networks, nil
}

// networks returns the networks that d is, if it breaks no rule.
func (d *definition) networks(c *schema.Check, bridge bool) []*Network {
	body := d.body()
	c.Form(bridge && d.Type == "" || d.Type == "bridge" || d.Type == physicalDevice, "definition-type", "@type",
		"%s is not a type of definition: bridge or physical", schema.Quote(d.Type))
	c.Form(body.Name != "", "definition-name", "@name", "a definition needs a name")
	if body.Kind == "" {
		body.Kind = inHypervisor
		if d.Type == physicalDevice {
			body.Kind = inDevice
		}
	}
	kind := body.Kind
	c.Form(kind == inHypervisor || kind == inDevice || kind == outside, "definition-type", "type",
		"%s is not hypervisor, embedded or ethernet", schema.Quote(kind))
	mode := schema.ModeAlias(body.Mode)
	c.Form(body.Mode == "" || body.Mode == allModes || mode != 0 && mode != schema.MacvtapPassthrough, "definition-mode", "mode",
		"%s is not all, VEPA, PEPA or VEB", schema.Quote(body.Mode))
	if kind == inHypervisor {
		c.Form(mode == 0 || mode == schema.MacvtapBridge, "definition-mode", "mode", "a bridge of the hypervisor has the mode VEB, not %s", mode)
		c.Form(len(body.Interfaces) == 0 && body.Source == nil, "definition-device", "", "the devices of a bridge of the hypervisor cannot be changed by a network")
		return []*Network{{Name: body.Name, Forward: &Forward{Mode: ForwardBridge}, Bridge: &Bridge{Name: body.Name}}}
	}
	dev := body.device(c, kind)
	if kind == outside {
		c.Form(mode == 0 || mode == schema.MacvtapVEPA, "definition-mode", "mode", "the switch outside has the mode VEPA, not %s", mode)
		mode = schema.MacvtapVEPA
	}
	modes := []schema.MacvtapMode{mode}
	if mode == 0 {
		modes = []schema.MacvtapMode{schema.MacvtapVEPA, schema.MacvtapPrivate, schema.MacvtapBridge}
	}
	var all []*Network
	for _, mode := range modes {
		n := &Network{Name: body.Name, Forward: &Forward{Mode: forwardModeOf(mode), Interfaces: []Interface{{Dev: schema.Text(dev)}}}}
		if len(modes) > 1 {
			n.Name += "-" + mode.String()
		}
		all = append(all, n)
	}
	return all
}

// physicalDevice is the type of a definition that is a device.
const physicalDevice = "physical"

// body returns what d and the <bridge> in it say together; the <bridge> wins.
func (d *definition) body() definitionBody {
	body := d.definitionBody
	if b := d.Bridge; b != nil {
		if b.Name != "" {
			body.Name = b.Name
		}
		if b.Source != nil {
			body.Source = b.Source
		}
		if b.Kind != "" {
			body.Kind = b.Kind
		}
		if b.Mode != "" {
			body.Mode = b.Mode
		}
		body.Interfaces = append(body.Interfaces, b.Interfaces...)
	}
	return body
}

// device returns the one device that b has.
func (b *definitionBody) device(c *schema.Check, kind string) string {
	var devs []string
	if b.Source != nil && b.Source.Dev != "" {
		devs = append(devs, b.Source.Dev)
	}
	for _, i := range b.Interfaces {
		devs = append(devs, i.Name)
	}
	if !c.Form(len(devs) == 1 && devs[0] != "", "definition-device", "", "a definition of type %s has one device, not %d", kind, len(devs)) {
		return ""
	}
	return devs[0]
}

// tooMany says that a definition is several networks.
func tooMany(all []*Network) error {
	c := schema.NewCheck("interface", schema.Rules{})
	c.Form(false, "definition-one", "", "the definition is %d networks, of which the first is %s: ParseAll reads them", len(all), schema.Quote(all[0].Name))
	return c.Err(schema.Source{})
}

// hintDefinition adds to the violation of a root element that is one of 2010 how to read it.
func hintDefinition(err error) error {
	var vs schema.Violations
	if errors.As(err, &vs) {
		for _, v := range vs {
			if v.Rule == "xml-root" && (strings.HasPrefix(v.Msg, "the root element is <interface>") || strings.HasPrefix(v.Msg, "the root element is <bridge>")) {
				v.Msg += " (a definition of 2010 is read with Aliases)"
			}
		}
	}
	return err
}
