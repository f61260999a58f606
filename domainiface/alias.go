// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// moveTargetMode moves the mode that the proposals of 2010 have on the <target> to the <source>, where it is the mode
// of a macvtap device. What is wrong with it is the error, and then it stays where it was.
func (i *Interface) moveTargetMode() error {
	t := i.Target
	if t == nil {
		return nil
	}
	at := slices.IndexFunc(t.Attrs, func(a xml.Attr) bool { return a.Name == xml.Name{Local: "mode"} })
	if at < 0 {
		return nil
	}
	c := schema.NewCheck("interface", schema.Rules{})
	c.In("target", func() { i.takeMode(c, t.Attrs[at].Value) })
	if err := c.Err(i.Origin); err != nil {
		return err
	}
	t.Attrs = slices.Delete(t.Attrs, at, at+1)
	if len(t.Attrs) == 0 {
		t.Attrs = nil
	}
	if t.Dev == "" && t.Managed == 0 && schema.IsBare(t.Extra) {
		i.Target = nil
	}
	return nil
}

// takeMode makes i an interface of type direct and the mode, if that breaks no rule.
func (i *Interface) takeMode(c *schema.Check, word string) {
	mode := SourceMode(schema.ModeAlias(word))
	kind := i.Kind()
	ok := c.Form(mode != 0, "target-mode", "@mode", "%s is not VEPA, PEPA, VEB or passthru; a guest has one mode, not all", schema.Quote(word))
	ok = c.Form(kind == Direct || kind == Bridge, "target-mode-type", "@mode", "type %s has no mode: types physical, direct and bridge have", kind) && ok
	if s := i.Source; s != nil && ok {
		ok = c.Form(s.Mode == 0 || s.Mode == mode, "target-mode-other", "@mode", "the <source> has another mode, %s", s.Mode)
	}
	if !ok {
		return
	}
	if i.Source == nil {
		i.Source = new(Source)
	}
	i.Source.Mode = mode
	if kind == Bridge {
		i.Type = Direct
		if !i.Source.Dev.Given() {
			i.Source.Dev, i.Source.Bridge = i.Source.Bridge, ""
		}
	}
}
