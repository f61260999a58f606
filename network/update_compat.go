// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// updated returns what becomes of n by one update.
func (n *Network) updated(u Update, rules schema.Rules) (*Network, error) {
	e := &edit{Update: u, rules: rules}
	if rules.Compat {
		return e.compat(n)
	}
	e.n = n.Clone()
	e.n.Source = schema.Source{}
	if err := e.apply(); err != nil {
		return nil, err
	}
	if err := e.place(e.broken(n)); err != nil {
		return nil, err
	}
	return e.n, nil
}

// broken returns the rules that the updated network breaks and that before did not.
func (e *edit) broken(before *Network) error {
	now, _ := e.n.ValidateAs(e.rules).(schema.Violations) //nolint:errorlint // ValidateAs returns nothing else
	if len(now) == 0 {
		return nil
	}
	if e.skips(UpdateDefined) {
		now, _ = withoutDefine(now).(schema.Violations) //nolint:errorlint // it returns nothing else
	}
	type broken struct{ rule, msg string }
	old := map[broken]int{}
	before = before.Clone()
	before.Source = schema.Source{}
	if vs, ok := before.ValidateAs(e.rules).(schema.Violations); ok { //nolint:errorlint // as above
		for _, v := range vs {
			old[broken{v.Rule, v.Msg}]++
		}
	}
	now = slices.DeleteFunc(now, func(v *schema.Violation) bool {
		key := broken{v.Rule, v.Msg}
		old[key]--
		return old[key] >= 0
	})
	if len(now) == 0 {
		return nil
	}
	return now
}

// place gives the violations of the element of the update their place in its XML.
func (e *edit) place(err error) error {
	vs, ok := err.(schema.Violations) //nolint:errorlint // of ValidateAs
	if !ok || e.path == "" {
		return err
	}
	for _, v := range vs {
		rest, inside := strings.CutPrefix(v.Path, e.path)
		if !inside || rest != "" && rest[0] != '/' || v.Line > 0 {
			continue
		}
		found := e.check(func(c *schema.Check) { c.Form(false, v.Rule, strings.TrimPrefix(rest, "/"), "%s", v.Msg) })
		v.Line, v.Column = found[0].Line, found[0].Column
	}
	return vs
}

// defineRules are the rules of libvirt that it has for defining a network, not for reading one: its updates do not know them.
var defineRules = []string{
	"network-name-line", "mac-mode", "ip-mode", "dns-mode", "domain-mode", "bandwidth-mode", "rate-limit", "forward-hostdev-interface",
	"forward-address-mode", "dhcp-once", "portgroup-default", "portgroup-once", "portgroup-bandwidth-mode", "vlan-mode",
}

// withoutDefine returns the violations of err that are of other rules.
func withoutDefine(err error) error {
	vs, ok := err.(schema.Violations) //nolint:errorlint // of a Check
	if !ok {
		return err
	}
	vs = slices.DeleteFunc(slices.Clone(vs), func(v *schema.Violation) bool { return slices.Contains(defineRules, v.Rule) })
	if len(vs) == 0 {
		return nil
	}
	return vs
}

// compat does the update as libvirt does: on a copy that it makes by writing and reading, and of which it then makes another
// one to see whether it can be read. What it tells afterwards is the first.
func (e *edit) compat(n *Network) (*Network, error) {
	copied := n.Clone()
	copied.Normalize(schema.Rules{Compat: true})
	var err error
	if e.n, err = copied.reread(); err != nil {
		return nil, fmt.Errorf("the network cannot be read anew: %w", err)
	}
	if err := e.apply(); err != nil {
		return nil, err
	}
	e.n.tell()
	if f := e.n.Forward; f != nil && e.Section == SectionForwardInterface && e.Command == CommandAddLast && len(f.Addresses) > 0 {
		f.Dev = "" // the first device is an address
	}
	if _, err := e.n.reread(); err != nil {
		return nil, e.place(err)
	}
	return e.n, nil
}

// tell brings n, whose other parts are normal, to the form in which libvirt tells it after an update: what it loses only when it
// reads a document is still there.
func (n *Network) tell() {
	f := n.Forward.clone()
	n.Normalize(schema.Rules{Compat: true})
	n.Forward = f
	n.normalizeForward()
	if f := n.Forward; f != nil {
		f.nameEmpty()
	}
}

// reread returns n as libvirt writes it and reads it again.
func (n *Network) reread() (*Network, error) {
	text, err := n.spell()
	if err != nil {
		return nil, err
	}
	again, err := Reader{Compat: true}.Parse(strings.NewReader(text))
	var vs schema.Violations
	if again != nil {
		err = schema.Join(err, withoutDefine(again.ValidateAs(schema.Rules{Compat: true})))
		again.Source = schema.Source{}
		again.Normalize(schema.Rules{Compat: true})
	}
	if errors.As(err, &vs) {
		for _, v := range vs {
			v.Line, v.Column = 0, 0 // of a text that nobody has seen
		}
	}
	return again, err
}

// spell returns n in the spelling of libvirt 11.3, which writes some values as they are, and blanks too.
func (n *Network) spell() (string, error) {
	c := n.Clone()
	var raw []string
	mark := func(value string) string {
		if !strings.ContainsAny(value, "<>&'\"\r\n\t") {
			return value
		}
		name := fmt.Sprintf("\ufdd0%d\ufdd1", len(raw)/2)
		raw = append(raw, name, value)
		return name
	}
	c.unescaped(mark)
	text, err := c.Format()
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(raw...).Replace(blanks(string(text))), nil
}

// unescaped replaces each value that libvirt writes without escaping it.
func (n *Network) unescaped(by func(string) string) {
	text := func(t *schema.Text) {
		if t.Given() && *t != schema.Empty {
			*t = schema.Text(by(string(*t)))
		}
	}
	if n.Domain != nil {
		text(&n.Domain.Name)
	}
	if v := n.VirtualPort; v != nil && v.Parameters != nil {
		v.Parameters.ProfileID = by(v.Parameters.ProfileID)
	}
	for i := range n.PortGroups {
		g := &n.PortGroups[i]
		g.Name = by(g.Name)
		if v := g.VirtualPort; v != nil && v.Parameters != nil {
			v.Parameters.ProfileID = by(v.Parameters.ProfileID)
		}
	}
	for i := range n.IPs {
		if d := n.IPs[i].DHCP; d != nil {
			for j := range d.Hosts {
				h := &d.Hosts[j]
				h.MAC = schema.MACText(by(string(h.MAC)))
				text(&h.ID)
				text(&h.Name)
			}
		}
	}
}

// blanks writes the line ends and tabs of a formatted document as they are: who reads it then takes those of an attribute for
// blanks.
func blanks(text string) string {
	if !strings.Contains(text, "&#1") && !strings.Contains(text, "&#9;") {
		return text
	}
	var b strings.Builder
	quoted := false
	for rest := text; rest != ""; {
		blank := false
		for _, spelled := range []string{"&#13;", "&#10;", "&#9;"} {
			if after, ok := strings.CutPrefix(rest, spelled); ok {
				rest, blank = after, true
				break
			}
		}
		switch {
		case blank && quoted:
			b.WriteByte(' ')
		case blank:
			b.WriteByte('\n') // a tab is only written so in an attribute
		default:
			if rest[0] == '\'' { // those of texts are escaped
				quoted = !quoted
			}
			b.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	return b.String()
}
