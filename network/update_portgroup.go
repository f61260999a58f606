// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/network/schema"
)

func (e *edit) portGroup() error {
	var g PortGroup
	if err := e.read(&g); err != nil {
		return err
	}
	if err := e.checkKey(func(c *schema.Check) { g.check(c, e.n) }); err != nil {
		return err
	}
	found := indexes(e.n.PortGroups, func(o *PortGroup) bool { return o.Name == g.Name })
	if len(found) > 1 {
		found = found[len(found)-1:] // of a document that nobody defined
	}
	preset := indexes(e.n.PortGroups, func(o *PortGroup) bool { return o.Default == schema.Yes && o.Name != g.Name })
	if e.Command != CommandDelete && g.Default == schema.Yes && len(preset) > 0 {
		return e.refuse(fs.ErrExist, "update-default", "@default", "the group %s is the default", schema.Quote(e.n.PortGroups[preset[0]].Name))
	}
	return apply(e, &e.n.PortGroups, g, found, "/network", "name "+schema.Quote(g.Name))
}
