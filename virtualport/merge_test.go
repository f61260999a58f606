// SPDX-License-Identifier: Apache-2.0

package virtualport_test

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// read reads a <virtualport> in shorthand: "" is none, otherwise what stands after its name.
func read(t *testing.T, text string) *virtualport.VirtualPort {
	t.Helper()
	if text == "" {
		return nil
	}
	head, parameters, _ := strings.Cut(text, "|")
	doc := "<virtualport " + head + ">"
	if parameters != "" {
		doc += "<parameters " + parameters + "/>"
	}
	v := new(virtualport.VirtualPort)
	_, _, err := schema.Reader{}.Read(strings.NewReader(doc+"</virtualport>"), "virtualport", v)
	require.NoError(t, err)
	return v
}

// layered makes sources of profiles in shorthand: of the interface, the network and the port group.
func layered(t *testing.T, texts ...string) []virtualport.Source {
	t.Helper()
	sources := []virtualport.Source{
		{Layer: schema.ByInterface, Path: "/interface/virtualport"},
		{Layer: schema.ByNetwork, Path: "/network/virtualport"},
		{Layer: schema.ByPortGroup, Path: "/network/portgroup[1]/virtualport"},
	}
	for i, text := range texts {
		sources[i].Profile = read(t, text)
	}
	return sources
}

// told returns settings in one line: NAME=VALUE by LAYER, ...
func told(settings []schema.Setting) string {
	var b strings.Builder
	for i, s := range settings {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s=%s by %s", s.Name, s.Value, s.Layer)
	}
	return b.String()
}

const (
	id1 = "11111111-1111-4111-8111-111111111111"
	id2 = "22222222-2222-4222-8222-222222222222"
	ids = "instanceid='" + id1 + "' interfaceid='" + id2 + "'"
)

func TestMerge(t *testing.T) {
	tests := []struct {
		name                string
		sources             []string
		want, told, dropped string
	}{
		{"nothing", []string{"", "", ""}, "", "", ""},
		{"one", []string{"", "type='openvswitch'", ""}, "type='openvswitch'", "type=openvswitch by network", ""},
		{"type from the network", []string{"|interfaceid='" + id1 + "'", "type='openvswitch'"},
			"type='openvswitch'|interfaceid='" + id1 + "'", "type=openvswitch by network, interfaceid=" + id1 + " by interface", ""},
		{"type from the group", []string{"", "", "type='802.1Qbh'|profileid='p'"},
			"type='802.1Qbh'|profileid='p'", "type=802.1Qbh by portgroup, profileid=p by portgroup", ""},
		{"gaps are filled in order", []string{"type='802.1Qbg'|managerid='1'", "|typeid='2'", "|typeid='2' typeidversion='3' managerid='1'"},
			"type='802.1Qbg'|managerid='1' typeid='2' typeidversion='3'",
			"type=802.1Qbg by interface, managerid=1 by interface, typeid=2 by network, typeidversion=3 by portgroup", ""},
		{"numbers are the same by value", []string{"type='802.1Qbg'|managerid='0x0b'", "type='802.1Qbg'|managerid='11'"},
			"type='802.1Qbg'|managerid='0x0b'", "type=802.1Qbg by interface, managerid=11 by interface", ""},
		{"identities of another kind of switch", []string{"|" + ids, "type='openvswitch'"},
			"type='openvswitch'|interfaceid='" + id2 + "'", "type=openvswitch by network, interfaceid=" + id2 + " by interface",
			"instanceid=" + id1 + " by interface"},
		{"both identities of no use", []string{"|" + ids, "type='802.1Qbh'|profileid='p'"},
			"type='802.1Qbh'|profileid='p'", "type=802.1Qbh by network, profileid=p by network",
			"instanceid=" + id1 + " by interface, interfaceid=" + id2 + " by interface"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, rules := range []schema.Rules{{}, {Compat: true}} {
				sources := layered(t, test.sources...)
				got, err := virtualport.Merge(rules, sources...)
				require.NoError(t, err)
				assert.Empty(t, cmp.Diff(read(t, test.want), got.Profile))
				assert.Equal(t, test.told, told(got.Settings))
				assert.Equal(t, test.dropped, told(got.Dropped))
				assert.Empty(t, cmp.Diff(layered(t, test.sources...), sources), "sources stay as they are")
			}
		})
	}
}

func TestMergeConflict(t *testing.T) {
	tests := []struct {
		name    string
		sources []string
		want    string
	}{
		{"type", []string{"type='802.1Qbg'", "type='802.1Qbh'"},
			`/interface/virtualport/@type: the interface says type "802.1Qbg", and the network says "802.1Qbh" (/network/virtualport/@type) [virtualport-conflict]`},
		{"managerid", []string{"type='802.1Qbg'|managerid='1'", "", "|managerid='2'"},
			`/interface/virtualport/parameters/@managerid: the interface says managerid "1", and the portgroup says "2" (/network/portgroup[1]/virtualport/parameters/@managerid) [virtualport-conflict]`},
		{"typeid", []string{"", "type='802.1Qbg'|typeid='1'", "|typeid='2'"},
			`/network/portgroup[1]/virtualport/parameters/@typeid: the portgroup says typeid "2", and the network says "1" (/network/virtualport/parameters/@typeid) [virtualport-conflict]`},
		{"typeidversion", []string{"type='802.1Qbg'|typeidversion='1'", "|typeidversion='2'"},
			`/interface/virtualport/parameters/@typeidversion: the interface says typeidversion "1", and the network says "2" (/network/virtualport/parameters/@typeidversion) [virtualport-conflict]`},
		{"instanceid", []string{"type='802.1Qbg'|instanceid='" + id1 + "'", "|instanceid='" + id2 + "'"},
			`/interface/virtualport/parameters/@instanceid: the interface says instanceid "` + id1 + `", and the network says "` + id2 + `" (/network/virtualport/parameters/@instanceid) [virtualport-conflict]`},
		{"interfaceid", []string{"type='openvswitch'|interfaceid='" + id1 + "'", "|interfaceid='" + id2 + "'"},
			`/interface/virtualport/parameters/@interfaceid: the interface says interfaceid "` + id1 + `", and the network says "` + id2 + `" (/network/virtualport/parameters/@interfaceid) [virtualport-conflict]`},
		{"profileid", []string{"type='openvswitch'|profileid='a'", "|profileid='A'"},
			`/interface/virtualport/parameters/@profileid: the interface says profileid "a", and the network says "A" (/network/virtualport/parameters/@profileid) [virtualport-conflict]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, rules := range []schema.Rules{{}, {Compat: true}} {
				got, err := virtualport.Merge(rules, layered(t, test.sources...)...)
				assert.Nil(t, got)
				require.EqualError(t, err, test.want)
				require.ErrorIs(t, err, fs.ErrInvalid)
				var conflict *virtualport.ConflictError
				require.ErrorAs(t, err, &conflict)
				assert.Equal(t, test.name, conflict.Parameter)
				assert.NotEqual(t, conflict.First.Value, conflict.Second.Value)
				assert.Less(t, conflict.First.Layer, conflict.Second.Layer)
			}
		})
	}
}

// allow is the rules with one left out.
func allow(d schema.Deviation) schema.Rules { return schema.Rules{Allow: []schema.Deviation{d}} }

func TestUntypedProfile(t *testing.T) {
	sources := layered(t, "|managerid='7' "+ids, "", "|profileid='p'")
	got, err := virtualport.Merge(schema.Rules{}, sources...)
	require.NoError(t, err)
	assert.Nil(t, got.Profile, "nobody gives a type: no profile")
	assert.Empty(t, got.Settings)
	assert.Equal(t, "managerid=7 by interface, instanceid="+id1+" by interface, interfaceid="+id2+" by interface, profileid=p by portgroup", told(got.Dropped))
	require.NoError(t, got.Complete(nil))

	for _, rules := range []schema.Rules{{Compat: true}, allow(virtualport.UntypedProfile)} {
		got, err = virtualport.Merge(rules, sources...)
		require.NoError(t, err)
		assert.Empty(t, cmp.Diff(sources[0].Profile, got.Profile), "what the interface says, as it is")
		assert.NotSame(t, sources[0].Profile, got.Profile)
		assert.Equal(t, "profileid=p by portgroup", told(got.Dropped))
		require.NoError(t, got.Complete(nil))

		got, err = virtualport.Merge(rules, layered(t, "", "", "|profileid='p'")...)
		require.NoError(t, err)
		assert.Nil(t, got.Profile, "a group alone makes no profile")
	}
}

func TestMidonetMerge(t *testing.T) {
	sources := layered(t, "", "type='midonet'|interfaceid='"+id1+"'")
	got, err := virtualport.Merge(schema.Rules{}, sources...)
	require.NoError(t, err)
	require.NoError(t, got.Complete(nil))
	assert.Equal(t, "type=midonet by network, interfaceid="+id1+" by network", told(got.Settings))

	for _, rules := range []schema.Rules{{Compat: true}, allow(virtualport.MidonetMerge)} {
		got, err = virtualport.Merge(rules, sources...)
		require.NoError(t, err)
		assert.Equal(t, "type=midonet by network", told(got.Settings))
		require.EqualError(t, got.Complete(nil),
			"/interface/virtualport/parameters/@interfaceid: the network makes it a port of type midonet, which needs a interfaceid, and nobody gives one [virtualport-complete]")
		got, err = virtualport.Merge(rules, layered(t, "|interfaceid='"+id2+"'", "type='midonet'|interfaceid='"+id1+"'")...)
		require.NoError(t, err, "not even a contradiction is found")
		require.NoError(t, got.Complete(nil))
		assert.Equal(t, "type=midonet by network, interfaceid="+id2+" by interface", told(got.Settings))
	}
}

func TestForeignParameter(t *testing.T) {
	tests := []struct {
		name    string
		sources []string
		want    string
	}{
		{"of the interface", []string{"|managerid='7'", "type='openvswitch'"},
			"/interface/virtualport/parameters/@managerid: the network makes it a port of type openvswitch, which has no managerid [virtualport-foreign]"},
		{"of the group", []string{"", "type='802.1Qbg'", "|profileid='p'"},
			"/network/portgroup[1]/virtualport/parameters/@profileid: the network makes it a port of type 802.1Qbg, which has no profileid [virtualport-foreign]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := virtualport.Merge(schema.Rules{}, layered(t, test.sources...)...)
			require.EqualError(t, err, test.want)
			require.ErrorIs(t, err, fs.ErrInvalid)
			for _, rules := range []schema.Rules{{Compat: true}, allow(virtualport.ForeignParameter)} {
				got, err := virtualport.Merge(rules, layered(t, test.sources...)...)
				require.NoError(t, err)
				assert.Len(t, got.Dropped, 1)
				assert.Len(t, got.Settings, 1)
			}
		})
	}
}

func TestEmptyParameters(t *testing.T) {
	sources := layered(t, "|"+ids, "type='802.1Qbh'")
	got, err := virtualport.Merge(schema.Rules{}, sources...)
	require.NoError(t, err)
	assert.Nil(t, got.Profile.Parameters)
	for _, rules := range []schema.Rules{{Compat: true}, allow(virtualport.EmptyParameters)} {
		got, err = virtualport.Merge(rules, sources...)
		require.NoError(t, err)
		assert.Equal(t, new(virtualport.Parameters), got.Profile.Parameters, "written as an empty element")
	}
}

func TestMergedComplete(t *testing.T) {
	const made = "07070707-0707-4707-8707-070707070707"
	tests := []struct{ name, profile, want, fails string }{
		{"802.1Qbg", "type='802.1Qbg'|managerid='1' typeid='2' typeidversion='3'", "instanceid=" + made + " by generated", ""},
		{"802.1Qbg with identity", "type='802.1Qbg'|managerid='1' typeid='2' typeidversion='3' instanceid='" + id1 + "'", "instanceid=" + id1 + " by interface", ""},
		{"openvswitch", "type='openvswitch'|profileid='p'", "interfaceid=" + made + " by generated, profileid=p by interface", ""},
		{"802.1Qbh", "type='802.1Qbh'|profileid='p'", "profileid=p by interface", ""},
		{"midonet", "type='midonet'|interfaceid='" + id1 + "'", "interfaceid=" + id1 + " by interface", ""},
		{"no managerid", "type='802.1Qbg'", "", "managerid"},
		{"no typeid", "type='802.1Qbg'|managerid='1'", "", "typeid"},
		{"no typeidversion", "type='802.1Qbg'|managerid='1' typeid='1'", "", "typeidversion"},
		{"no profileid", "type='802.1Qbh'", "", "profileid"},
		{"no identity of midonet", "type='midonet'", "", "interfaceid"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := virtualport.Merge(schema.Rules{}, layered(t, test.profile)...)
			require.NoError(t, err)
			err = m.Complete(strings.NewReader(strings.Repeat("\x07", 16)))
			if test.fails != "" {
				require.ErrorContains(t, err, "/interface/virtualport/parameters/@"+test.fails+": ")
				require.ErrorContains(t, err, "needs a "+test.fails)
				return
			}
			require.NoError(t, err)
			assert.Contains(t, told(m.Settings), test.want)
			assert.Empty(t, m.Profile.Missing(false))
		})
	}
	t.Run("without randomness", func(t *testing.T) {
		m, err := virtualport.Merge(schema.Rules{}, layered(t, "type='openvswitch'")...)
		require.NoError(t, err)
		require.NoError(t, m.Complete(nil))
		assert.Equal(t, "type=openvswitch by interface, interfaceid= by generated", told(m.Settings))
		assert.Nil(t, m.Profile.Parameters)
	})
	t.Run("too little randomness", func(t *testing.T) {
		m, err := virtualport.Merge(schema.Rules{}, layered(t, "type='openvswitch'")...)
		require.NoError(t, err)
		require.ErrorIs(t, m.Complete(strings.NewReader("short")), io.ErrUnexpectedEOF)
	})
}

func TestIsTrunk(t *testing.T) {
	var none *virtualport.VLAN
	assert.False(t, none.IsTrunk())
	assert.False(t, (&virtualport.VLAN{Tags: make([]virtualport.Tag, 1)}).IsTrunk())
	assert.True(t, (&virtualport.VLAN{Tags: make([]virtualport.Tag, 2)}).IsTrunk())
	assert.True(t, (&virtualport.VLAN{Trunk: schema.Yes, Tags: make([]virtualport.Tag, 1)}).IsTrunk())
}

func TestCloneSharesNothing(t *testing.T) {
	v := read(t, "type='openvswitch'|profileid='a'")
	c := v.Clone()
	c.Parameters.ProfileID = "b"
	assert.Equal(t, "a", v.Parameters.ProfileID)
	vlan := &virtualport.VLAN{Tags: []virtualport.Tag{{ID: schema.Num(1)}}}
	vlan.Clone().Tags[0].ID = schema.Num(2)
	assert.Equal(t, schema.Num(1), vlan.Tags[0].ID)
	assert.Nil(t, (*virtualport.VirtualPort)(nil).Clone())
	assert.Nil(t, (*virtualport.VLAN)(nil).Clone())
	assert.Nil(t, (*virtualport.Port)(nil).Clone())
}
