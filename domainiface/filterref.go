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
	if name == "" || value == "" {
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
