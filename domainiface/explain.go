// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An Explanation says what holds for an interface on its network, and who decided it.
type Explanation struct {
	// Settings are what holds, in a fixed order; what nobody says is there too, as it is by default.
	Settings []schema.Setting
	// Dropped are parameters of profiles that are given in vain: the switch that is used has no such parameter, or there is none.
	Dropped []schema.Setting
	// Port is the port that i gets, without what is chosen on the host.
	Port *network.Port
}

// Explain says what i gets on its network n, nil for an interface on none, and which of the interface, the network and the
// port group decided it. It looks at documents only. What could not be attached is the error that [Interface.ValidateIn]
// returns.
func Explain(i *Interface, n *network.Network, on Hypervisor, rules schema.Rules) (*Explanation, error) {
	r, err := i.Resolve(n, rules, nil)
	if err != nil {
		return nil, err
	}
	if err := i.ValidatePort(r, on, rules); err != nil {
		return nil, err
	}
	e := &Explanation{Settings: r.Settings, Dropped: r.Dropped, Port: r.Port}
	for n := range e.Dropped {
		e.Dropped[n].Name = "virtualport " + e.Dropped[n].Name
	}
	at := slices.IndexFunc(e.Settings, func(s schema.Setting) bool { return s.Name == "plug" })
	if at < 0 {
		at = 0
		e.Settings = slices.Insert(e.Settings, 0, i.typeSetting())
	}
	plugged := &e.Settings[at]
	plugged.Name = "type"
	if kind := typeOf(r.Port.Plug); kind != 0 {
		plugged.Value = kind.String()
	}
	e.Settings = append(e.Settings, i.mtuSetting(n))
	return e, nil
}

// typeSetting is the type of an interface that has no port of a switch.
func (i *Interface) typeSetting() schema.Setting {
	if i.Type == 0 {
		return schema.Setting{Value: User.String()}
	}
	return schema.Setting{Value: i.Type.String(), Layer: schema.ByInterface, Path: "/interface/@type"}
}

// mtuSetting is the MTU of i on n: its own, else that of the network's own bridge, else that of what it is plugged into.
func (i *Interface) mtuSetting(n *network.Network) schema.Setting {
	const name = "mtu"
	switch {
	case i.MTU != nil && i.MTU.Size.Uint() != 0:
		return schema.Setting{Name: name, Value: i.MTU.Size.String(), Layer: schema.ByInterface, Path: "/interface/mtu/@size"}
	case n != nil && n.Managed() && n.MTU != nil && n.MTU.Size.Uint() != 0:
		return schema.Setting{Name: name, Value: n.MTU.Size.String(), Layer: schema.ByNetwork, Path: "/network/mtu/@size"}
	}
	return schema.Setting{Name: name, Value: "that of the device it is plugged into"}
}

// Setting returns the setting of that name, if there is one.
func (e *Explanation) Setting(name string) (schema.Setting, bool) {
	at := slices.IndexFunc(e.Settings, func(s schema.Setting) bool { return s.Name == name })
	if at < 0 {
		return schema.Setting{}, false
	}
	return e.Settings[at], true
}

// String returns one line for each setting, in columns: its name, its value, who decided it and where. What was dropped
// follows.
func (e *Explanation) String() string {
	var b strings.Builder
	rows := make([][]string, 0, len(e.Settings)+len(e.Dropped))
	for _, s := range e.Settings {
		rows = append(rows, []string{s.Name, s.Value, s.Layer.String(), s.Path})
	}
	for _, s := range e.Dropped {
		rows = append(rows, []string{"(dropped) " + s.Name, s.Value, s.Layer.String(), s.Path})
	}
	var widths [4]int
	for _, row := range rows {
		for n, cell := range row {
			widths[n] = max(widths[n], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for n, cell := range row {
			line += fmt.Sprintf("%-*s  ", widths[n], cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
