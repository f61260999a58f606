// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A FilterRef is a <filterref> element: the packet filter of the device (network, bridge, ethernet).
//
//	<filterref filter='clean-traffic'>
//	  <parameter name='IP' value='192.0.2.5'/>
//	</filterref>
type FilterRef struct {
	Filter schema.Text `xml:"filter,attr,omitempty"`
	// Parameters are the variables of the filter. One that is given several times is a list.
	Parameters []Parameter `xml:"parameter"`
	schema.Extra
}

// A Parameter is a <parameter> element: a variable of a filter.
//
//	<parameter name='IP' value='192.0.2.5'/>
type Parameter struct {
	Name  schema.Text `xml:"name,attr,omitempty"`
	Value schema.Text `xml:"value,attr,omitempty"`
	schema.Extra
}

// usable reports whether a parameter is one of those that filters take.
func (p *Parameter) usable() bool {
	name, value := p.Name.String(), p.Value.String()
	if !p.Name.Given() || value == "" {
		return false
	}
	for i := range len(name) {
		if !isWordByte(name[i]) {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; !isWordByte(c) && c != '.' && c != ':' {
			return false
		}
	}
	return true
}

func (f *FilterRef) check(c *schema.Check, kind Type) {
	c.Deviates(f.Filter.String() != "", FilterLost, "@filter", "a <filterref> needs the name of a filter")
	c.Deviates(kind == Network || kind == Bridge || kind == Ethernet, FilterLost, "", "the traffic of type %s cannot be filtered", kind)
	for n := range f.Parameters {
		p := &f.Parameters[n]
		c.At("parameter", n, func() {
			c.Deviates(p.usable() && p.Name != schema.Empty, FilterParameter, "", "%s with the value %s is no parameter of a filter: letters, digits and _, in the value . and : too",
				schema.Quote(p.Name.String()), schema.Quote(p.Value.String()))
		})
	}
}
