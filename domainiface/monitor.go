// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// Descriptors are the open files of a port by the numbers that they have in the process of a virtual machine monitor. A file
// that is element k of [os/exec.Cmd.ExtraFiles] has number 3+k there.
type Descriptors struct {
	// Queues are the files of [Port.Open], one or more.
	Queues []int
	// Vhost are as many of /dev/vhost-net, by which the kernel moves the frames and not the monitor. Empty is none.
	Vhost []int
}

// Inherited are the descriptors of n queues that are the first extra files of a process.
func Inherited(n int) Descriptors {
	var d Descriptors
	for k := range n {
		d.Queues = append(d.Queues, 3+k)
	}
	return d
}

// check refuses what the device of p cannot be served with.
func (d Descriptors) check(p *Port) error {
	most, driver := 1, p.driver()
	if driver.Queues.Uint() > 1 {
		most = int(driver.Queues.Uint())
	}
	switch n := len(d.Queues); {
	case n == 0:
		return fmt.Errorf("port %s: no descriptor of a queue, from 1 to %d are allowed: %w", p.ID, most, fs.ErrInvalid)
	case n > most:
		return fmt.Errorf("/interface/driver/@queues: %d descriptors, from 1 to %d are allowed: %w", n, most, fs.ErrInvalid)
	case len(d.Vhost) != 0 && len(d.Vhost) != n:
		return fmt.Errorf("port %s: %d descriptors of vhost for %d queues, none or as many are allowed: %w", p.ID, len(d.Vhost), n, fs.ErrInvalid)
	case driver.Name == DriverVhost && len(d.Vhost) == 0:
		return fmt.Errorf("/interface/driver/@name: vhost needs descriptors of /dev/vhost-net: %w", fs.ErrInvalid)
	case driver.Name == DriverQEMU && len(d.Vhost) != 0:
		return fmt.Errorf("/interface/driver/@name: qemu takes no descriptors of /dev/vhost-net: %w", fs.ErrInvalid)
	}
	return nil
}

// asked is what the interface of a port says: for a port that was made without [Attach], nothing.
func (p *Port) asked() *Interface {
	if p.Interface == nil {
		return new(Interface)
	}
	return p.Interface
}

// driver is the driver that was asked for, never nil.
func (p *Port) driver() *Driver {
	if d := p.asked().Driver; d != nil {
		return d
	}
	return new(Driver)
}

// tap is the tap that a port is made of.
func (p *Port) tap() (host.AddTap, bool) {
	for _, step := range p.Built {
		if made, ok := step.Op.(host.AddTap); ok {
			return made, true
		}
	}
	return host.AddTap{}, false
}

// mtu is the size of packets that a guest has to be told: that of its device, which it would have to guess otherwise. 0 is
// what guests have by themselves.
func (p *Port) mtu() int {
	const usual = 1500
	size := 0
	if made, ok := p.tap(); ok {
		size = made.MTU
	} else if made, ok := p.macvtap(); ok {
		size = made.MTU
	}
	if size == usual {
		return 0
	}
	return size
}

// opened reports whether a port is of a kind that [Port.Open] opens.
func (p *Port) opened() error {
	_, tap := p.tap()
	_, macvtap := p.macvtap()
	if !tap && !macvtap {
		return fmt.Errorf("port %s: its device%s is neither a tap nor a macvtap: %w", p.ID, strings.TrimSuffix(" "+p.Link, " "), errors.ErrUnsupported)
	}
	return nil
}

// onlyVirtio refuses a port whose interface asks for a card that a monitor other than QEMU has not.
func (p *Port) onlyVirtio(monitor string) error {
	if m := p.asked().Model; m != nil && m.Type != "" && !m.Virtio() {
		return fmt.Errorf("/interface/model/@type: %s has no %s, only %s: %w", monitor, schema.Quote(m.Type.String()), Virtio, errors.ErrUnsupported)
	}
	return nil
}

// options is a list of key=value, parted by commas, as QEMU and Cloud Hypervisor read it.
type options struct{ text strings.Builder }

// word adds a word without a value.
func (o *options) word(word string) {
	if o.text.Len() != 0 {
		o.text.WriteByte(',')
	}
	o.text.WriteString(word)
}

// set adds a key and its value. A comma in it is written twice, or it would begin the next option.
func (o *options) set(key, value string) {
	o.word(key + "=" + strings.ReplaceAll(value, ",", ",,"))
}

// given adds a key unless its value is absent.
func (o *options) given(key string, value fmt.Stringer) {
	if s := value.String(); s != "" {
		o.set(key, s)
	}
}

// number adds a number unless it is 0.
func (o *options) number(key string, n int) {
	if n != 0 {
		o.set(key, strconv.Itoa(n))
	}
}

func (o *options) String() string { return o.text.String() }

// list writes numbers with a separator between them.
func list(numbers []int, separator string) string {
	return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(numbers), "[]")), separator)
}
