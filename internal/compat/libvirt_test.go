// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// The folders of libvirt's tests that are about documents. Not looked at here, because they are no documents or are about
// what is done with them:
//
//	networkxml2confdata/*.conf, *.hostsfile  the configuration of dnsmasq: see TestDnsmasq
//	networkxml2firewalldata/*.iptables, *.nftables  commands of another design of the firewall
//	networkxml2xmlupdatein  fragments for live updates, which say nothing by themselves
//	qemuxmlconfdata/*.xml without an expected output  guests, about which libvirt's answer is not told
//	virmacmaptestdata, virnetdevopenvswitchdata  libvirt's own state, and statistics of a switch

// onDefine are the rules of networks by which libvirt judges when it defines one, not when it reads it: its tests of
// reading and writing have documents that break them.
var onDefine = []string{
	"network-name-line", "mac-mode", "ip-mode", "dns-mode", "domain-mode", "bandwidth-mode", "rate-limit",
	"forward-hostdev-interface", "forward-address-mode", "dhcp-once", "portgroup-default", "portgroup-once",
	"portgroup-bandwidth-mode", "vlan-mode",
}

// onRead is the rule by which libvirt judges when it reads a network, and that its live updates, whose outputs are among
// the tests, do not know.
const onRead = "forward-one-device"

// readUndefined is readNetwork without the rules for defining a network.
func readUndefined(text string) (*network.Network, error) {
	n, err := readNetwork(text)
	return n, without(err, onDefine...)
}

// readUpdated is readNetwork without the rules that a live update does not know either.
func readUpdated(text string) (*network.Network, error) {
	n, err := readUndefined(text)
	return n, without(err, onRead)
}

// without returns the violations of err that are of other rules.
func without(err error, rules ...string) error {
	var vs schema.Violations
	if !errors.As(err, &vs) {
		return err
	}
	vs = slices.DeleteFunc(slices.Clone(vs), func(v *schema.Violation) bool { return slices.Contains(rules, v.Rule) })
	if len(vs) == 0 {
		return nil
	}
	return vs
}

// readQEMU is readInterface for a guest of QEMU.
func readQEMU(text string) (*domainiface.Interface, error) {
	i, err := readInterface(text)
	if err != nil {
		return nil, err
	}
	return i, i.ValidateOn(domainiface.QEMU(), compat)
}

// documents returns the texts of a folder of libvirt's tests by the names of their files.
func documents(t *testing.T, folder string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(corpus(t, filepath.Join("libvirt-tests", folder)), "*.xml"))
	require.NoError(t, err)
	require.NotEmpty(t, paths, folder)
	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		texts[filepath.Base(path)] = string(text)
	}
	return texts
}

// sorted returns the names of documents in order.
func sorted(texts map[string]string) []string {
	var names []string
	for name := range texts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// noteAs counts a document that libvirt accepts and writes as want.
func noteAs[D interface{ Format() ([]byte, error) }](c *tally, id, input string, want verdict, read func(string) (D, error), made func(in, document *tree)) {
	got, err := judge(input, read)
	if err != nil {
		c.note(id, err.Error())
		return
	}
	c.note(id, disagree(input, want, got, made))
}

// TestNetworkPairs reads each input and wants the output of the same name; an input without one is refused.
func TestNetworkPairs(t *testing.T) {
	in, out := documents(t, "networkxml2xmlin"), documents(t, "networkxml2xmlout")
	c := tally{t: t, name: "networkxml2xml"}
	for _, name := range sorted(in) {
		want := verdict{text: out[name]}
		if out[name] == "" {
			want = verdict{wrong: "no output is expected"}
		}
		noteAs(&c, name, in[name], want, readUndefined, madeForNetwork)
	}
	c.report()
}

// TestPortPairs wants each port as it is.
func TestPortPairs(t *testing.T) {
	c := tally{t: t, name: "virnetworkportxml2xmldata"}
	ports := documents(t, "virnetworkportxml2xmldata")
	for _, name := range sorted(ports) {
		noteAs(&c, name, ports[name], verdict{text: ports[name]}, readPort, func(_, _ *tree) {})
	}
	c.report()
}

// TestNetworkOutputs wants each network that libvirt wrote after a live update as it is.
func TestNetworkOutputs(t *testing.T) {
	c := tally{t: t, name: "networkxml2xmlupdateout"}
	out := documents(t, "networkxml2xmlupdateout")
	for _, name := range sorted(out) {
		noteAs(&c, name, out[name], verdict{text: out[name]}, readUpdated, madeForNetwork)
	}
	c.report()
}

// TestNetworkInputs wants the networks accepted that libvirt's tests start.
func TestNetworkInputs(t *testing.T) {
	for _, folder := range []string{"networkxml2confdata", "networkxml2firewalldata"} {
		t.Run(folder, func(t *testing.T) {
			c := tally{t: t, name: folder}
			in := documents(t, folder)
			for _, name := range sorted(in) {
				got, err := judge(in[name], readNetwork)
				require.NoError(t, err, name)
				c.note(name, got.wrong)
			}
			c.report()
		})
	}
}

// TestInterfacePairs compares the interfaces of each guest for which there is an output: NAME.xml and NAME.ARCH-latest.xml.
func TestInterfacePairs(t *testing.T) {
	guests := documents(t, "qemuxmlconfdata")
	c := tally{t: t, name: "qemuxmlconfdata"}
	for _, name := range sorted(guests) {
		base, arch, isOutput := strings.Cut(name, ".")
		if input := guests[base+".xml"]; isOutput && arch != "xml" && input != "" {
			in, out := interfaces(t, input), interfaces(t, guests[name])
			require.Len(t, out, len(in), name)
			for i := range in {
				noteAs(&c, name, in[i].xml(), verdict{text: out[i].xml()}, readQEMU, madeByQEMU)
			}
		}
	}
	c.report()
}

// interfaces returns the interfaces of a guest.
func interfaces(t *testing.T, guest string) []*tree {
	t.Helper()
	root, err := parseTree(guest)
	require.NoError(t, err)
	var found []*tree
	if devices := root.child("devices"); devices != nil {
		for _, k := range devices.kids {
			if k.name.Local == "interface" {
				found = append(found, k)
			}
		}
	}
	return found
}

// madeByQEMU removes what is made up for a guest of QEMU: besides the rest the model, and the place on a bus.
func madeByQEMU(in, document *tree) {
	madeForInterface(in, document)
	for _, name := range []string{"model", "address"} {
		if in.child(name) == nil {
			document.drop(name)
		}
	}
}
