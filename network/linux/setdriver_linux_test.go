// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A cardKernel does in a folder like /sys, and with network devices of a namespace, what the kernel does for a card with
// virtual functions.
type cardKernel struct {
	sysTree
	ns *testenv.Namespace
	// vfs are the settings of the functions, by their numbers.
	vfs []rtnl.VF
	// born is what the network device of a function is called when its driver makes it; the place of the function without it.
	born map[string]string
	// refuse is asked before the kernel does anything; nil refuses nothing.
	refuse func(what string) error
}

// The places of the card and its functions.
const (
	cardPlace = "0000:08:00.0"
	vfDriver  = "igbvf"
)

func functionPlace(number int) string { return fmt.Sprintf("0000:08:10.%d", 2*number) }

// openCard gives a backend for a machine with a card that has so many functions, each with a network device.
func openCard(t *testing.T, functions int) (*linux.Backend, *cardKernel) {
	t.Helper()
	links := []string{"card8"}
	for i := range functions {
		links = append(links, fmt.Sprint("card8v", i))
	}
	b, s, ns := openSys(t, links...)
	k := &cardKernel{sysTree: s, ns: ns, born: map[string]string{}}
	off, on := false, true
	var places []string
	s.device(cardPlace, "igb", "card8")
	for i, link := range links[1:] {
		place := functionPlace(i)
		s.device(place, vfDriver, link)
		s.group(strconv.Itoa(i+1), place)
		require.NoError(t, os.WriteFile(filepath.Join(s.root, "devices/pci0000:00", place, "driver_override"), []byte("(null)\n"), 0o600))
		k.vfs = append(k.vfs, rtnl.VF{Index: i, MAC: [6]byte{2, 8, 5: byte(i)}, Trust: &off, SpoofCheck: &on})
		k.born[place] = link
		places = append(places, place)
	}
	s.functions(cardPlace, places...)
	b.SetKernel(k, k, t.TempDir())
	return b, k
}

func (k *cardKernel) asked(format string, args ...any) error {
	if k.refuse == nil {
		return nil
	}
	return rtnl.Translate(k.refuse(fmt.Sprintf(format, args...)))
}

// VFs tells of the functions.
func (k *cardKernel) VFs(int) ([]rtnl.VF, error) { return k.vfs, nil }

// SetVF changes one.
func (k *cardKernel) SetVF(_, number int, c rtnl.VFChange) error {
	if number >= len(k.vfs) {
		return rtnl.Translate(unix.EINVAL)
	}
	v := &k.vfs[number]
	switch {
	case c.MAC != nil:
		if err := k.asked("mac %v", *c.MAC); err != nil {
			return err
		}
		v.MAC = *c.MAC
	case c.VLAN != nil:
		v.VLAN = *c.VLAN
	case c.Rate != nil:
		v.Rate = *c.Rate
	case c.State != nil:
		v.State = *c.State
	case c.SpoofCheck != nil:
		v.SpoofCheck = c.SpoofCheck
	case c.Trust != nil:
		if err := k.asked("trust %t", *c.Trust); err != nil {
			return err
		}
		v.Trust = c.Trust
	}
	return nil
}

// Load finds no modules.
func (k *cardKernel) Load(driver string) error {
	return fmt.Errorf("no module %s: %w", driver, fs.ErrNotExist)
}

// Write is what the kernel does when something is written to a file of sysfs.
func (k *cardKernel) Write(path, text string) error {
	if err := k.asked("%s %s", strings.TrimPrefix(path, k.root+"/"), strings.TrimSpace(text)); err != nil {
		return err
	}
	switch filepath.Base(path) {
	case "driver_override":
		if text == "\n" {
			text = "(null)\n"
		}
		return os.WriteFile(path, []byte(text), 0o600)
	case "unbind":
		return k.unbind(filepath.Dir(filepath.Dir(path)))
	default:
		return k.bind(text, filepath.Base(filepath.Dir(path)))
	}
}

func (k *cardKernel) unbind(dir string) error {
	nets, _ := filepath.Glob(filepath.Join(dir, "net/*"))
	for _, net := range nets {
		k.ns.Output(k.t, "ip", "link", "del", filepath.Base(net))
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "net")), os.RemoveAll(filepath.Join(dir, "vfio-dev")), os.Remove(filepath.Join(dir, "driver")))
}

func (k *cardKernel) bind(place, driver string) error {
	dir := "devices/pci0000:00/" + place
	k.link("../../../bus/pci/drivers/"+driver, dir+"/driver")
	if host.PassesThrough(driver) {
		k.folder(dir + "/vfio-dev/vfio0")
		return nil
	}
	card(k.t, k.ns, k.born[place])
	k.folder(dir + "/net/" + k.born[place])
	return nil
}

func TestFunctionsConform(t *testing.T) {
	t.Parallel()
	hosttest.Suite{
		Open: func(t *testing.T) host.Backend {
			b, k := openCard(t, 3)
			k.folder("bus/pci/drivers/vfio-pci")
			return b
		},
		PF: func(*testing.T) (string, int) { return "card8", 3 },
	}.RunFunctions(t)
}

// look is what is seen of the first function.
func (k *cardKernel) look(b *linux.Backend) host.Function {
	k.t.Helper()
	f, err := b.Facts(k.t.Context(), host.Scope{VFs: []host.PCI{{Bus: 8, Slot: 16}}})
	require.NoError(k.t, err)
	require.Len(k.t, f.Functions, 1)
	return f.Functions[0]
}

// setting is an operation that changes everything that a card does for its first function.
func (k *cardKernel) setting(b *linux.Backend) host.SetFunction {
	fn := k.look(b)
	return host.SetFunction{PCI: fn.PCI, Generation: fn.Generation, PF: fn.PF, Index: fn.Index, Was: fn.VF, VF: host.VF{
		MAC: host.MAC{2, 9}, VLAN: 7, QoS: 1, Proto: host.ServiceTag, Trust: host.On, SpoofCheck: host.Off, State: host.StateUp, MinRate: 5, MaxRate: 50,
	}}
}

func TestSetFunction(t *testing.T) {
	b, k := openCard(t, 1)
	op := k.setting(b)
	require.NoError(t, b.Do(t.Context(), op))
	assert.Equal(t, op.VF, k.look(b).VF)
	require.NoError(t, b.Do(t.Context(), op.Inverse()))
	assert.Equal(t, op.Was, k.look(b).VF)

	// The last of the settings fails.
	k.refuse = func(what string) error {
		if what == "trust true" {
			return unix.EOPNOTSUPP
		}
		return nil
	}
	require.ErrorIs(t, b.Do(t.Context(), op), errors.ErrUnsupported)
	assert.Equal(t, op.Was, k.look(b).VF, "what was set before is put back")
}

// TestSetFunctionNoAddress puts back that a function has no address, on a card that wants one.
func TestSetFunctionNoAddress(t *testing.T) {
	b, k := openCard(t, 1)
	k.vfs[0].MAC = [6]byte{}
	k.refuse = func(what string) error {
		if what == "mac [0 0 0 0 0 0]" {
			return unix.EINVAL
		}
		return nil
	}
	op := k.setting(b)
	require.NoError(t, b.Do(t.Context(), op))
	require.NoError(t, b.Do(t.Context(), op.Inverse()))
	assert.Equal(t, [6]byte{2}, k.vfs[0].MAC)
}

// TestRestartTakenBack fails at each step of a change of address by the card, after which the function is as it was, with its
// network device. A change that a program left half done is done, or taken back.
func TestRestartTakenBack(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"/unbind", "mac ", "/bind"} {
		t.Run(at, func(t *testing.T) {
			b, k := openCard(t, 1)
			k.ns.Output(t, "ip", "link", "set", "card8v0", "mtu", "1400", "address", "02:08:00:00:00:00", "up")
			was := k.look(b)
			link := func() host.Link {
				f, err := b.Facts(t.Context(), host.Scope{Links: []string{"card8v0"}})
				require.NoError(t, err)
				require.Len(t, f.Links, 1)
				return f.Links[0]
			}
			wasLink := link()
			op := host.SetFunction{PCI: was.PCI, Generation: was.Generation, PF: was.PF, VF: was.VF, Was: was.VF}
			op.VF.MAC, op.VF.VLAN = host.MAC{2, 9}, 7
			op.Restart = host.Driver{Name: vfDriver, Link: "card8v0", MAC: op.VF.MAC, MTU: 1400, Up: true}
			once := func(what string) error {
				if strings.Contains(what, at) {
					k.refuse = nil
					return unix.EIO
				}
				return nil
			}
			k.refuse = once
			require.ErrorIs(t, b.Do(t.Context(), op), unix.EIO)
			assert.Equal(t, was, k.look(b))
			assert.Equal(t, wasLink, link())

			ever := func(what string) error {
				if strings.Contains(what, at) {
					return unix.EIO
				}
				return nil
			}
			for _, next := range []host.Op{op, op.Inverse()} {
				k.refuse = ever
				require.ErrorIs(t, b.Do(t.Context(), op), unix.EIO) // and cannot take it back either
				k.refuse = nil
				require.NoError(t, b.Do(t.Context(), next))
				l := link()
				assert.Equal(t, next.(host.SetFunction).VF, k.look(b).VF) //nolint:forcetypeassert // it is one
				assert.Equal(t, next.(host.SetFunction).VF.MAC, l.MAC)    //nolint:forcetypeassert // as above
				assert.Equal(t, 1400, l.MTU)
				assert.True(t, l.Up)
				require.NoError(t, b.Do(t.Context(), op.Inverse()))
				assert.Equal(t, wasLink, link())
			}
		})
	}
}

// TestFunctionGenerations has the functions of a card vanish and come again between plan and deed.
func TestFunctionGenerations(t *testing.T) {
	b, k := openCard(t, 1)
	op := k.setting(b)
	dir := filepath.Join(k.root, "devices/pci0000:00", functionPlace(0))
	require.NoError(t, os.Rename(dir, dir+".old"))
	require.NoError(t, os.CopyFS(dir, os.DirFS(dir+".old")))
	was := k.look(b)
	require.NotEqual(t, op.Generation, was.Generation)
	passed := host.SetDriver{PCI: op.PCI, Generation: op.Generation, Driver: host.Driver{Name: "vfio-pci"}, Was: host.Driver{Name: vfDriver}}
	for _, op := range []host.Op{op, op.Inverse(), passed, passed.Inverse()} {
		require.ErrorIs(t, b.Do(t.Context(), op), fs.ErrNotExist, op)
	}
	require.NoError(t, host.Revert(t.Context(), b, host.Plan{{Op: op}, {Op: passed}}), "what is another function is not put back")
	assert.Equal(t, was, k.look(b))
}

// passing is an operation that hands the first function over.
func (k *cardKernel) passing(b *linux.Backend) host.SetDriver {
	fn := k.look(b)
	f, err := b.Facts(k.t.Context(), host.Scope{Links: []string{fn.Link}})
	require.NoError(k.t, err)
	l := f.Link(fn.Link)
	return host.SetDriver{
		PCI: fn.PCI, Generation: fn.Generation, Driver: host.Driver{Name: "vfio-pci", Override: "vfio-pci"},
		Was: host.Driver{Name: fn.Driver, Override: fn.Override, Link: l.Name, MAC: l.MAC, MTU: l.MTU, Up: l.Up},
	}
}

// TestSetDriverTakenBack fails at each step of a change of driver, after which the function is as it was, with its network
// device. A change that a program left half done is done.
func TestSetDriverTakenBack(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"driver_override", "unbind", "bind"} {
		t.Run(at, func(t *testing.T) {
			b, k := openCard(t, 1)
			k.folder("bus/pci/drivers/vfio-pci")
			op := k.passing(b)
			was := k.look(b)
			k.refuse = func(what string) error {
				if strings.Contains(what, "/"+at) && (at != "bind" || strings.Contains(what, "vfio-pci")) {
					k.refuse = nil
					return unix.EIO
				}
				return nil
			}
			require.ErrorIs(t, b.Do(t.Context(), op), unix.EIO)
			assert.Equal(t, was, k.look(b))

			k.refuse = func(what string) error {
				if strings.Contains(what, "/"+at) {
					return unix.EIO
				}
				return nil
			}
			require.ErrorIs(t, b.Do(t.Context(), op), unix.EIO) // and cannot take it back either
			k.refuse = nil
			require.NoError(t, b.Do(t.Context(), op))
			require.Equal(t, "vfio-pci", k.look(b).Driver)
			require.NoError(t, b.Do(t.Context(), op.Inverse()))
			assert.Equal(t, was, k.look(b))
		})
	}
}

// TestSetDriverDresses gives a network device that appears with another name what it had.
func TestSetDriverDresses(t *testing.T) {
	t.Parallel()
	b, k := openCard(t, 1)
	k.folder("bus/pci/drivers/vfio-pci")
	k.ns.Output(t, "ip", "link", "set", "card8v0", "mtu", "1400", "up")
	op := k.passing(b)
	require.NoError(t, b.Do(t.Context(), op))
	k.born[functionPlace(0)] = "eth0"
	require.NoError(t, b.Do(t.Context(), op.Inverse()))
	f, err := b.Facts(t.Context(), host.Scope{Links: []string{"card8v0", "eth0"}})
	require.NoError(t, err)
	require.Len(t, f.Links, 1)
	l := f.Links[0]
	assert.Equal(t, op.Was, host.Driver{Name: vfDriver, Link: l.Name, MAC: l.MAC, MTU: l.MTU, Up: l.Up})
}

// TestSetDriverOfGroups respects that guests get IOMMU groups as a whole.
func TestSetDriverOfGroups(t *testing.T) {
	t.Parallel()
	for driver, want := range map[string]error{"e1000e": fs.ErrExist, "": nil, "vfio-pci": nil, "mlx5_vfio_pci": nil, "pcieport": nil, "pci-stub": nil} {
		t.Run(driver, func(t *testing.T) {
			b, k := openCard(t, 1)
			k.folder("bus/pci/drivers/vfio-pci")
			k.device("0000:08:1f.0", driver, "")
			k.group("1", "0000:08:1f.0")
			op := k.passing(b)
			was := k.look(b)
			err := b.Do(t.Context(), op)
			if want == nil {
				require.NoError(t, err)
				require.NoError(t, b.Do(t.Context(), op.Inverse()))
			} else {
				require.ErrorIs(t, err, want)
				require.ErrorContains(t, err, "0000:08:10.0 is in IOMMU group 1 with 0000:08:1f.0, which driver e1000e has")
			}
			assert.Equal(t, was, k.look(b))
		})
	}
}
