// SPDX-License-Identifier: Apache-2.0

package virtualport_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

var parameterNames = []string{"managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid"}

// profileOf makes a profile of three bytes: its type or that there is none, which parameters it has, and which of two values
// each of them has.
func profileOf(b []byte) *virtualport.VirtualPort {
	if b[0]&8 != 0 {
		return nil
	}
	v := &virtualport.VirtualPort{Type: virtualport.Type(b[0] & 7 % 5)}
	if b[1] == 0 {
		return v
	}
	value := func(n int) uint64 { return 1 + uint64(b[2]>>n&1) }
	number := func(n int) (c schema.CNumber32) {
		if b[1]>>n&1 != 0 {
			c.Number = schema.Num(value(n))
		}
		return c
	}
	id := func(n int) (u schema.UUID) {
		if b[1]>>n&1 != 0 {
			u, _ = schema.NewUUID(bytes.NewReader(bytes.Repeat([]byte{byte(value(n))}, 16)))
		}
		return u
	}
	v.Parameters = &virtualport.Parameters{
		ManagerID: number(0), TypeID: number(1), TypeIDVersion: number(2), InstanceID: id(3), InterfaceID: id(4),
		ProfileID: strings.Repeat("p", int(b[1]>>5&1)*int(value(5))),
	}
	return v
}

func sourcesOf(b []byte) []virtualport.Source {
	return []virtualport.Source{
		{Layer: schema.ByInterface, Path: "/interface/virtualport", Profile: profileOf(b[0:3])},
		{Layer: schema.ByNetwork, Path: "/network/virtualport", Profile: profileOf(b[3:6])},
		{Layer: schema.ByPortGroup, Path: "/network/portgroup[1]/virtualport", Profile: profileOf(b[6:9])},
	}
}

// says returns what a profile says about a parameter or its type.
func says(v *virtualport.VirtualPort, name string) string {
	switch {
	case v == nil:
		return ""
	case name == "type":
		return v.Type.String()
	}
	return v.Parameters.Get(name)
}

// checkMerge checks what holds for all profiles.
func checkMerge(t *testing.T, rules schema.Rules, b []byte) {
	sources := sourcesOf(b)
	m, err := virtualport.Merge(rules, sources...)
	require.Empty(t, cmp.Diff(sourcesOf(b), sources), "the sources stay as they are")
	if err != nil {
		require.Nil(t, m)
		checkRefusal(t, err, sources)
		return
	}
	for _, name := range append([]string{"type"}, parameterNames...) {
		got, ok := m.Setting(name)
		require.Equal(t, says(m.Profile, name), got.Value, "%s: the settings are those of the profile", name)
		require.Equal(t, ok, got.Value != "")
		for _, s := range sources {
			said := says(s.Profile, name)
			switch {
			case said == "":
			case !ok || rules.Compat && said != got.Value:
				require.True(t, name == "type" || hasSetting(m.Dropped, s, name), "%s of the %s is told to be dropped", name, s.Layer)
			case s.Layer < got.Layer:
				require.Failf(t, "order", "%s is by the %s, and the %s says something", name, got.Layer, s.Layer)
			default:
				require.Equal(t, got.Value, said, "%s: they agree", name)
			}
			if ok && s.Layer == got.Layer {
				require.Equal(t, said, got.Value, "%s: nothing is invented", name)
			}
		}
	}
	checkAgain(t, rules, m, sources)
	checkComplete(t, m)
}

func hasSetting(all []schema.Setting, s virtualport.Source, name string) bool {
	for _, d := range all {
		if d.Name == name && d.Layer == s.Layer && d.Value == says(s.Profile, name) {
			return true
		}
	}
	return false
}

// checkRefusal checks that there is a reason to refuse.
func checkRefusal(t *testing.T, err error, sources []virtualport.Source) {
	var v *schema.Violation
	require.ErrorAs(t, err, &v)
	require.True(t, strings.HasPrefix(err.Error(), "/interface/virtualport/") || strings.HasPrefix(err.Error(), "/network/"), err)
	values := map[string]bool{}
	name := strings.TrimPrefix(v.Path[strings.LastIndexByte(v.Path, '/'):], "/@")
	for _, s := range sources {
		values[says(s.Profile, name)] = true
	}
	delete(values, "")
	if v.Rule == string(virtualport.ForeignParameter) {
		require.NotEmpty(t, values)
		return
	}
	require.Greater(t, len(values), 1, err)
}

// checkAgain merges the result with the same network and group: it is the same.
func checkAgain(t *testing.T, rules schema.Rules, m *virtualport.Merged, sources []virtualport.Source) {
	again := append([]virtualport.Source{{Layer: schema.ByInterface, Path: sources[0].Path, Profile: m.Profile}}, sources[1:]...)
	twice, err := virtualport.Merge(rules, again...)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(m.Profile.Clone().Normalize(schema.Rules{}), twice.Profile.Normalize(schema.Rules{})))
}

// checkComplete completes the result: it has all it needs, or it is refused for what nobody gives.
func checkComplete(t *testing.T, m *virtualport.Merged) {
	before := m.Profile.Clone()
	err := m.Complete(bytes.NewReader(make([]byte, 16)))
	if err != nil {
		require.NotEmpty(t, m.Profile.Missing(true))
		require.Empty(t, cmp.Diff(before, m.Profile), "nothing is made up for what is refused")
		return
	}
	if m.Profile == nil {
		return
	}
	require.Empty(t, m.Profile.Missing(false))
	for _, s := range m.Settings {
		require.Equal(t, s.Layer == schema.Generated, says(before, s.Name) == "", "%s", s.Name)
		require.NotEmpty(t, s.Value)
	}
}

func TestMergeLaws(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	merged := 0
	for range 5000 {
		b := make([]byte, 9)
		for i := range b {
			b[i] = byte(random.Uint32())
			if i%3 > 0 && random.IntN(2) == 0 {
				b[i] &= byte(random.Uint32()) // fewer parameters, and more that agree
			}
		}
		for _, rules := range []schema.Rules{{}, {Compat: true}} {
			checkMerge(t, rules, b)
		}
		if m, err := virtualport.Merge(schema.Rules{}, sourcesOf(b)...); err == nil && m.Profile != nil {
			merged++
		}
	}
	assert.Greater(t, merged, 500, "enough of them can be merged")
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte("\x00\x18\x00\x03\x00\x00\x00\x20\x00"), false)
	f.Add([]byte("\x01\x07\x00\x01\x07\x00\x08\x00\x00"), true)
	f.Add([]byte("\x04\x00\x00\x04\x10\x00\x04\x10\x10"), true)
	f.Fuzz(func(t *testing.T, b []byte, compat bool) {
		if len(b) >= 9 {
			checkMerge(t, schema.Rules{Compat: compat}, b)
		}
	})
}
