// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

func TestIPPrefix(t *testing.T) {
	tests := []struct{ attrs, want string }{
		{"address='10.1.1.1' prefix='24'", "10.1.1.1/24"},
		{"address='10.1.1.1' netmask='255.255.254.0'", "10.1.1.1/23"},
		{"address='10.1.1.1' netmask='255.0.254.0'", ""},
		{"address='10.1.1.1' prefix='33'", ""},
		{"address='10.1.1.1'", "10.1.1.1/8"},
		{"address='10.1.1.1' prefix='0'", "10.1.1.1/8"},
		{"address='172.16.1.1'", "172.16.1.1/16"},
		{"address='192.168.1.1'", "192.168.1.1/24"},
		{"address='224.0.0.1'", ""},
		{"address='0.0.0.0'", "0.0.0.0/0"},
		{"family='ipv6' address='2001:db8::1'", "2001:db8::1/64"},
		{"family='ipv6' address='::'", "::/0"},
		{"family='ipv6' address='fe80::1%eth0' prefix='10'", "fe80::1/10"},
		{"family='ipv6' address='::1' prefix='129'", ""},
		{"", ""},
	}
	for _, test := range tests {
		n, err := network.Parse(strings.NewReader("<network><ip " + test.attrs + "/></network>"))
		require.NoError(t, err)
		got, ok := n.IPs[0].Prefix()
		assert.Equal(t, test.want != "", ok, test.attrs)
		if ok {
			assert.Equal(t, test.want, got.String(), test.attrs)
		}
	}
}

func TestRoutePrefix(t *testing.T) {
	tests := []struct{ attrs, want string }{
		{"address='10.0.0.0' prefix='8'", "10.0.0.0/8"},
		{"address='10.0.0.0' netmask='255.255.0.0'", "10.0.0.0/16"},
		{"address='10.0.0.0' netmask='255.0.255.0'", ""},
		{"address='0.0.0.0'", "0.0.0.0/0"},
		{"address='fd00::' prefix='8'", "fd00::/8"},
		{"address='10.0.0.0' prefix='64'", ""},
		{"", ""},
	}
	for _, test := range tests {
		n, err := network.Parse(strings.NewReader("<network><route " + test.attrs + "/></network>"))
		require.NoError(t, err)
		got, ok := n.Routes[0].Prefix()
		assert.Equal(t, test.want != "", ok, test.attrs)
		if ok {
			assert.Equal(t, test.want, got.String(), test.attrs)
		}
	}
}

func TestMode(t *testing.T) {
	tests := []struct {
		forward string
		mode    network.ForwardMode
		managed bool
	}{
		{"", network.ForwardNone, true},
		{"<forward/>", network.ForwardNAT, true},
		{"<forward mode='none'/>", network.ForwardNone, true},
		{"<forward mode='route'/>", network.ForwardRoute, true},
		{"<forward mode='open'/>", network.ForwardOpen, true},
		{"<forward mode='bridge'/>", network.ForwardBridge, false},
		{"<forward mode='hostdev'/>", network.ForwardHostdev, false},
	}
	for _, test := range tests {
		n, err := network.Parse(strings.NewReader("<network>" + test.forward + "</network>"))
		require.NoError(t, err)
		assert.Equal(t, test.mode, n.Mode(), test.forward)
		assert.Equal(t, test.managed, n.Managed(), test.forward)
	}
}

func TestLeaseTime(t *testing.T) {
	tests := []struct {
		lease string
		want  time.Duration
		given bool
	}{
		{"<lease expiry='5'/>", 5 * time.Minute, true},
		{"<lease expiry='300' unit='seconds'/>", 5 * time.Minute, true},
		{"<lease expiry='0x10' unit='hours'/>", 16 * time.Hour, true},
		{"<lease expiry='0' unit='hours'/>", 0, true},
		{"<lease expiry='2592000' unit='seconds'/>", 30 * 24 * time.Hour, true},
		{"<lease expiry='9223372036' unit='seconds'/>", 9223372036 * time.Second, true},
		{"<lease expiry='9223372037' unit='seconds'/>", 0, true},
		{"<lease expiry='18446744073709551615' unit='hours'/>", 0, true},
		{"<lease unit='hours'/>", 0, false},
		{"", 0, false},
	}
	for _, test := range tests {
		n, err := network.Parse(strings.NewReader("<network><ip><dhcp><range>" + test.lease + "</range></dhcp></ip></network>"))
		require.NoError(t, err)
		got, given := n.IPs[0].DHCP.Ranges[0].Lease.Time()
		assert.Equal(t, test.want, got, test.lease)
		assert.Equal(t, test.given, given, test.lease)
	}
}

func TestDNSEnabled(t *testing.T) {
	assert.True(t, (*network.DNS)(nil).Enabled())
	assert.True(t, (&network.DNS{}).Enabled())
	assert.False(t, (&network.DNS{Enable: schema.No}).Enabled())
}

// TestCloneSharesNothing walks a document that has everything, and wants no slice and no pointer of it in its copy.
func TestCloneSharesNothing(t *testing.T) {
	for path, text := range files(t, "valid/*.xml") {
		n, err := network.Parse(strings.NewReader(text))
		require.NoError(t, err)
		apart(t, path, reflect.ValueOf(n), reflect.ValueOf(n.Clone()))
	}
	for path, text := range files(t, "ports/*.xml") {
		p, err := network.ParsePort(strings.NewReader(text))
		require.NoError(t, err)
		apart(t, path, reflect.ValueOf(p), reflect.ValueOf(p.Clone()))
	}
}

func apart(t *testing.T, path string, a, b reflect.Value) {
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() {
			return
		}
		assert.NotEqual(t, a.Pointer(), b.Pointer(), path)
		apart(t, path, a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() == 0 {
			return
		}
		assert.NotEqual(t, a.Pointer(), b.Pointer(), path)
		for i := range a.Len() {
			apart(t, fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i))
		}
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[schema.Source]() || a.Type() == reflect.TypeFor[netip.Addr]() {
			return
		}
		for i := range a.NumField() {
			apart(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	}
}

func TestWriteTo(t *testing.T) {
	n := &network.Network{Name: "x"}
	var b bytes.Buffer
	written, err := n.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, "<network>\n  <name>x</name>\n</network>\n", b.String())
	assert.Equal(t, int64(b.Len()), written)
	_, err = n.WriteTo(closed{})
	assert.ErrorIs(t, err, os.ErrClosed)
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestDeviationsCanBeAllowed(t *testing.T) {
	n := &network.Network{Name: ".."}
	assert.ErrorContains(t, n.Validate(), string(network.SafeName))
	assert.NoError(t, n.ValidateAs(schema.Rules{Allow: []schema.Deviation{network.SafeName}}))
	assert.NoError(t, n.ValidateAs(schema.Rules{Compat: true}))
}

func TestNormalizeCompatLoses(t *testing.T) {
	const text = `<network>
  <name>x</name>
  <metadata><plain/><a:x xmlns:a='urn:1'/><b:y xmlns:b='urn:1'/></metadata>
  <forward mode='vepa'><interface dev='e0'/><pf dev='e9'/></forward>
  <domain localOnly='yes'/>
  <vlan><tag id='7'/><tag id='7' nativeMode='tagged'/></vlan>
  <bandwidth><inbound average='0'/></bandwidth>
  <ip address='10.1.1.1'><tftp/><dhcp><bootp file='f'/></dhcp></ip>
  <ip family='ipv6' address='fd00::1'><dhcp><range start='fd00::2' end='fd00::3'><lease unit='hours'/></range><bootp file='f'/></dhcp></ip>
  <virtualport type='midonet'><parameters profileid='p'/></virtualport>
</network>`
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, `<network>
  <name>x</name>
  <metadata>
    <a:x xmlns:a='urn:1'/>
  </metadata>
  <forward dev='e0' mode='vepa'>
    <interface dev='e0'/>
  </forward>
  <vlan trunk='yes'>
    <tag id='7' nativeMode='tagged'/>
    <tag id='7' nativeMode='tagged'/>
  </vlan>
  <bandwidth>
  </bandwidth>
  <ip address='10.1.1.1'>
  </ip>
  <ip family='ipv6' address='fd00::1'>
    <dhcp>
      <range start='fd00::2' end='fd00::3'/>
    </dhcp>
  </ip>
  <virtualport type='midonet'>
    <parameters/>
  </virtualport>
</network>
`, normalized(t, n, schema.Rules{Compat: true}))
	kept := normalized(t, n, schema.Rules{})
	for _, word := range []string{"<plain/>", "<pf ", "localOnly", "<bootp ", "<tftp/>", "<lease ", "profileid"} {
		assert.Contains(t, kept, word, "nothing is lost by default")
	}
}
