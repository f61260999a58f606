// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network/schema"
)

// sevens is randomness that is always 7.
type sevens struct{}

func (sevens) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 7
	}
	return len(b), nil
}

func TestComplete(t *testing.T) {
	const uuid = "07070707-0707-4707-8707-070707070707"
	tests := []struct{ name, text, want string }{
		{"no mac",
			`<interface type='null'/>`,
			`<mac address='52:54:00:07:07:07'/>`},
		{"no address",
			`<interface type='null'><mac type='generated'/></interface>`,
			`<mac address='52:54:00:07:07:07' type='generated'/>`},
		{"all zero",
			`<interface type='null'><mac address='0:0:0:0:0:0'/></interface>`,
			`<mac address='52:54:00:07:07:07'/>`},
		{"a mac is kept",
			`<interface type='null'><mac address='02:00:00:00:00:01'/></interface>`,
			`<mac address='02:00:00:00:00:01'/>`},
		{"802.1Qbg",
			`<interface type='direct'><source dev='e0'/><virtualport type='802.1Qbg'/></interface>`,
			`<parameters instanceid='` + uuid + `'/>`},
		{"openvswitch",
			`<interface type='bridge'><source bridge='b0'/><virtualport type='openvswitch'><parameters profileid='p'/></virtualport></interface>`,
			`<parameters interfaceid='` + uuid + `' profileid='p'/>`},
		{"the network decides",
			`<interface type='network'><source network='n'/><virtualport/></interface>`,
			`<virtualport/>`},
		{"the network may have one",
			`<interface type='network'><source network='n'/><virtualport type='openvswitch'/></interface>`,
			`<virtualport type='openvswitch'/>`},
		{"802.1Qbh has none",
			`<interface type='direct'><source dev='e0'/><virtualport type='802.1Qbh'/></interface>`,
			`<virtualport type='802.1Qbh'/>`},
		{"midonet's comes from midonet",
			`<interface type='bridge'><source bridge='b0'/><virtualport type='midonet'/></interface>`,
			`<virtualport type='midonet'/>`},
		{"not where there is no switch",
			`<interface type='user'><virtualport/></interface>`,
			`<virtualport/>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, err := parse(t, tt.text).Complete(sevens{})
			require.NoError(t, err)
			assert.Contains(t, format(t, i), tt.want)
		})
	}
}

func TestCompleteTakesWhatItNeeds(t *testing.T) {
	i := parse(t, `<interface type='network'><source network='n'/><virtualport/></interface>`)
	random := bytes.NewReader(make([]byte, 36))
	compat := schema.Rules{Compat: true}
	_, err := i.CompleteAs(random, compat)
	require.NoError(t, err)
	assert.Equal(t, 1, random.Len())
	for n := range 35 {
		_, err := i.CompleteAs(bytes.NewReader(make([]byte, n)), compat)
		require.Error(t, err)
		assert.True(t, strings.HasPrefix(err.Error(), "make a"), err)
	}
}

// TestEarlyIdentity shows what libvirt makes up for a profile whose kind the network knows.
func TestEarlyIdentity(t *testing.T) {
	const uuid = "07070707-0707-4707-8707-070707070707"
	i := parse(t, `<interface type='network'><mac address='02:00:00:00:00:01'/><source network='n'/><virtualport/></interface>`)
	for _, rules := range []schema.Rules{{Compat: true}, {Allow: []schema.Deviation{domainiface.EarlyIdentity}}} {
		c, err := i.CompleteAs(sevens{}, rules)
		require.NoError(t, err)
		assert.Contains(t, format(t, c), `<parameters instanceid='`+uuid+`' interfaceid='`+uuid+`'/>`)
	}
	c, err := i.CompleteAs(failing{io.ErrUnexpectedEOF}, schema.Rules{})
	require.NoError(t, err, "nothing is made up")
	assert.Equal(t, format(t, i), format(t, c))
}

func TestNewMAC(t *testing.T) {
	m, err := domainiface.NewMAC(strings.NewReader("\x01\xff\x80"))
	require.NoError(t, err)
	assert.Equal(t, "52:54:00:01:ff:80", m.String())
	_, err = domainiface.NewMAC(failing{io.ErrUnexpectedEOF})
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
