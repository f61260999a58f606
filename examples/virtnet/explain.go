// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A settingLine is a setting as a line of JSON. By is one of default, interface, network, portgroup and generated. A dropped
// one was given in vain.
type settingLine struct {
	Setting string       `json:"setting"`
	Value   string       `json:"value"`
	By      schema.Layer `json:"by"`
	Path    string       `json:"path,omitempty"`
	Dropped bool         `json:"dropped,omitempty"`
}

// explain prints what an interface gets on a network, and who decided it; an interface on no network stands alone.
type explain struct{ qemu bool }

func (e *explain) flags(f *flag.FlagSet) {
	f.BoolVar(&e.qemu, "qemu", false, "for a guest of QEMU, which cannot do all that there is")
}

func (e *explain) run(_ context.Context, c *call) error {
	on := domainiface.Hypervisor{}
	if e.qemu {
		on = domainiface.QEMU()
	}
	var n *network.Network
	var err error
	if len(c.args) == 2 {
		if n, err = c.networkIn(c.arg(0)); err != nil {
			return err
		}
	}
	i, err := c.interfaceIn(c.arg(len(c.args) - 1))
	if err != nil {
		return err
	}
	told, err := domainiface.Explain(i, n, on, schema.Rules{})
	if err != nil {
		return c.refusal(n, i, err)
	}
	if c.json {
		return c.settings(told)
	}
	_, err = fmt.Fprint(c.out, told)
	return err
}

// refusal prints why the interface cannot be attached to the network, with the place in the document concerned.
func (c *call) refusal(n *network.Network, i *domainiface.Interface, err error) error {
	file, source := c.arg(len(c.args)-1), i.Origin
	if n != nil && strings.HasPrefix(err.Error(), "/network/") {
		file, source = c.arg(0), n.Source
	}
	var one *schema.Violation
	if all := (schema.Violations)(nil); !errors.As(err, &all) && errors.As(err, &one) {
		v := *one
		v.Line, v.Column = source.Place(v.Path)
		err = schema.Violations{&v}
	}
	return c.violations(file, err)
}

// settings prints settings as JSON, one object a line.
func (c *call) settings(e *domainiface.Explanation) error {
	for i, s := range slices.Concat(e.Settings, e.Dropped) {
		if err := c.line(settingLine{s.Name, s.Value, s.Layer, s.Path, i >= len(e.Settings)}); err != nil {
			return err
		}
	}
	return nil
}
