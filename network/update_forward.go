// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/network/schema"
)

// forwardInterface changes the list of devices. A network that names one device in an attribute has a list of one.
func (e *edit) forwardInterface() error {
	var i Interface
	if err := e.read(&i); err != nil {
		return err
	}
	if e.Command == CommandModify {
		return e.unsupported("delete, add-last or add-first")
	}
	if !i.Dev.Given() {
		return e.refuse(fs.ErrInvalid, "update-key", "", "an <interface> needs a dev")
	}
	i.Connections = schema.Number{}
	f := e.n.Forward
	if f == nil {
		f = &Forward{Mode: ForwardNone}
		e.n.Forward = f
	}
	if len(f.Interfaces) == 0 && f.Dev != "" {
		f.Interfaces = []Interface{{Dev: schema.Text(f.Dev)}}
	}
	found := indexes(f.Interfaces, func(o *Interface) bool { return o.Dev == i.Dev })
	if e.Command == CommandDelete && len(found) > 0 && !e.skips(UpdateInUse) {
		if used := f.Interfaces[found[0]].Connections; used.Uint() > 0 {
			return e.refuse(fs.ErrExist, string(UpdateInUse), "@dev", "%s is used by %s guests", i.Dev, used)
		}
	}
	err := apply(e, &f.Interfaces, i, first(found), "/network/forward", "dev "+schema.Quote(i.Dev.String()))
	f.nameFirst()
	return err
}

// nameFirst makes the device of the attribute the first of the list.
func (f *Forward) nameFirst() {
	if f.Dev == "" {
		return
	}
	f.Dev = ""
	if len(f.Interfaces) > 0 {
		f.Dev = f.Interfaces[0].Dev.String()
	}
}
