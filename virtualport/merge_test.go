// SPDX-License-Identifier: Apache-2.0

package virtualport_test

import (
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

func TestMerge(t *testing.T) {
	const (
		id1 = "'11111111-1111-4111-8111-111111111111'"
		id2 = "'22222222-2222-4222-8222-222222222222'"
	)
	tests := []struct {
		name           string
		sources        []string
		want, conflict string
	}{
		{"nothing", []string{"", "", ""}, "", ""},
		{"no type", []string{"|profileid='a'", "|profileid='b'"}, "", ""},
		{"one", []string{"", "type='openvswitch'", ""}, "type='openvswitch'", ""},
		{"type from the second", []string{"|interfaceid=" + id1, "type='openvswitch'"}, "type='openvswitch'|interfaceid=" + id1, ""},
		{"gaps are filled", []string{"type='802.1Qbg'|managerid='1'", "|typeid='2'", "|typeidversion='3' managerid='1'"},
			"type='802.1Qbg'|managerid='1' typeid='2' typeidversion='3'", ""},
		{"types differ", []string{"type='802.1Qbg'", "type='802.1Qbh'"}, "", "type"},
		{"values differ", []string{"type='802.1Qbg'|managerid='1'", "|managerid='2'"}, "", "managerid"},
		{"typeid differs", []string{"type='802.1Qbg'|typeid='1'", "|typeid='2'"}, "", "typeid"},
		{"typeidversion differs", []string{"type='802.1Qbg'|typeidversion='1'", "|typeidversion='2'"}, "", "typeidversion"},
		{"instanceid differs", []string{"type='802.1Qbg'|instanceid=" + id1, "|instanceid=" + id2}, "", "instanceid"},
		{"interfaceid differs", []string{"type='midonet'|interfaceid=" + id1, "|interfaceid=" + id2}, "", "interfaceid"},
		{"profileid differs", []string{"type='openvswitch'|profileid='a'", "|profileid='b'"}, "", "profileid"},
		{"not taken by the type", []string{"type='openvswitch'", "|managerid='1' profileid='p'"}, "type='openvswitch'|profileid='p'", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var sources []*virtualport.VirtualPort
			for _, s := range test.sources {
				sources = append(sources, read(t, s))
			}
			got, conflict := virtualport.Merge(sources...)
			assert.Equal(t, test.conflict, conflict)
			if diff := cmp.Diff(read(t, test.want), got); diff != "" {
				t.Error(diff)
			}
			for i, s := range test.sources {
				assert.Empty(t, cmp.Diff(read(t, s), sources[i]), "sources stay as they are")
			}
		})
	}
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
