// SPDX-License-Identifier: Apache-2.0

package hostdev_test

import (
	"encoding/xml"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/hostdev"
)

func TestAddress(t *testing.T) {
	tests := []struct{ name, in, want, device string }{
		{"any base", `<address type="pci" domain="1" bus="0X5E" slot="012" function="3"/>`, `<address type="pci" domain="0x0001" bus="0x5e" slot="0x0a" function="0x3"></address>`, "0001:5e:0a.3"},
		{"absent is 0", `<address/>`, `<address domain="0x0000" bus="0x00" slot="0x00" function="0x0"></address>`, "0000:00:00.0"},
		{"wide", `<address domain="0x12345" multifunction="on"/>`, `<address domain="0x12345" bus="0x00" slot="0x00" function="0x0" multifunction="on"></address>`, "12345:00:00.0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := struct {
				XMLName xml.Name `xml:"address"`
				hostdev.Address
			}{}
			require.NoError(t, xml.Unmarshal([]byte(test.in), &a))
			got, err := xml.Marshal(a)
			require.NoError(t, err)
			assert.Equal(t, test.want, string(got))
			assert.Equal(t, test.device, a.String())
			b := hostdev.NewAddress(a.Key())
			assert.Equal(t, a.Key(), b.Key())
			assert.Equal(t, hostdev.PCI, b.Type)
		})
	}
	for _, bad := range []string{`<address bus="-1"/>`, `<address bus="0x100000000"/>`, `<address slot="1g"/>`, `<address function=""/>`, `<address type="usb"/>`} {
		assert.Error(t, xml.Unmarshal([]byte(bad), new(hostdev.Address)), bad)
	}
}

func TestCloneOfNothing(t *testing.T) {
	assert.Nil(t, (*hostdev.Address)(nil).Clone())
	assert.Nil(t, (*hostdev.Driver)(nil).Clone())
	d := &hostdev.Driver{Name: hostdev.VFIO, Model: "m"}
	assert.Equal(t, d, d.Clone())
	assert.NotSame(t, d, d.Clone())
}

// FuzzAddress reads the numbers of an address, and what is written of them.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"0", "0x0000", "0x1F", "010", "-1", " +7", "0x100000000", ""} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, domain, function string) {
		var a, again hostdev.Address
		if a.Domain.UnmarshalText([]byte(domain)) != nil || a.Function.UnmarshalText([]byte(function)) != nil {
			return
		}
		if err := again.Domain.UnmarshalText([]byte(a.Domain.String())); err != nil {
			t.Fatal(err)
		}
		if err := again.Function.UnmarshalText([]byte(a.Function.String())); err != nil {
			t.Fatal(err)
		}
		if a.Key() != again.Key() {
			t.Fatalf("%q %q: %s, then %s", domain, function, a.Key(), again.Key())
		}
	})
}
