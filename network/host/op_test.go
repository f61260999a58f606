// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func names(ops []host.Op) []string {
	var list []string
	for _, op := range ops {
		list = append(list, reflect.TypeOf(op).Name())
	}
	sort.Strings(list)
	return list
}

// TestEveryOperationIsListed finds the types with a method Inverse in the source. One that is not listed could be stored
// and not be read back.
func TestEveryOperationIsListed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if method, ok := decl.(*ast.FuncDecl); ok && method.Recv != nil && method.Name.Name == "Inverse" {
				found = append(found, method.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	sort.Strings(found)
	require.Contains(t, found, "Plan")
	found = append(found[:sort.SearchStrings(found, "Plan")], found[sort.SearchStrings(found, "Plan")+1:]...)
	require.Equal(t, found, names(host.Operations()))
	require.Equal(t, found, names(samples()), "every operation has a sample")
}

// TestInverses wants of each operation that its inverse makes sense, has the same scope, and leads back to it.
func TestInverses(t *testing.T) {
	for _, op := range samples() {
		t.Run(reflect.TypeOf(op).Name(), func(t *testing.T) {
			require.NoError(t, op.Check())
			inverse := op.Inverse()
			if inverse == nil {
				_, raise := op.(host.Raise)
				_, drop := op.(host.DropRules)
				_, filter := op.(host.FilterVLANs)
				require.True(t, raise || drop || filter || op.Scope().Forwarding, "only what is not ours has no inverse")
				return
			}
			require.NoError(t, inverse.Check())
			require.Equal(t, op.Scope(), inverse.Scope())
			require.Equal(t, op, inverse.Inverse())
			require.NotEqual(t, op.String(), inverse.String())
		})
	}
}

// TestNothingHoldsByChance looks at an empty machine: what makes or changes something is still to do, what removes
// something is not.
func TestNothingHoldsByChance(t *testing.T) {
	for _, op := range samples() {
		name := reflect.TypeOf(op).Name()
		gone := strings.HasPrefix(name, "D") || strings.HasPrefix(name, "Un") || name == "SetDown"
		require.Equal(t, gone, op.Holds(&host.Facts{}), name)
	}
}

func TestOperationStrings(t *testing.T) {
	var text strings.Builder
	for _, op := range samples() {
		require.NotContains(t, op.String(), "\n")
		text.WriteString(op.String() + "\n")
	}
	golden(t, "operations.txt", text.String())
}

func TestStepsAreStored(t *testing.T) {
	for _, op := range samples() {
		t.Run(reflect.TypeOf(op).Name(), func(t *testing.T) {
			plan := host.Plan{{Op: op, From: "/network/ip[1]", Note: "why"}, {Op: op}}
			data, err := json.Marshal(plan)
			require.NoError(t, err)
			var read host.Plan
			require.NoError(t, json.Unmarshal(data, &read))
			require.Empty(t, cmp.Diff(plan, read, cmp.Comparer(func(a, b host.Op) bool { return reflect.DeepEqual(a, b) })))
			again, err := json.Marshal(read)
			require.NoError(t, err)
			require.Equal(t, string(data), string(again))
		})
	}
}

func TestStoredPlan(t *testing.T) {
	var plan host.Plan
	for _, op := range samples() {
		plan = append(plan, host.Step{Op: op, From: "/network"})
	}
	data, err := json.MarshalIndent(plan, "", "  ")
	require.NoError(t, err)
	golden(t, "plan.json", string(data)+"\n")
}

// stranger is an operation of somebody else.
type stranger struct{ host.SetUp }

func TestWhatIsNotStored(t *testing.T) {
	for name, op := range map[string]host.Op{"nil": nil, "a stranger": stranger{}, "a pointer": &host.SetUp{Link: "br0"}} {
		_, err := json.Marshal(host.Step{Op: op})
		require.ErrorIs(t, err, fs.ErrInvalid, name)
	}
}

func TestWhatIsNotRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"op":"AddUnicorn","arg":{}}`:        `operation "AddUnicorn": invalid argument`,
		`{}`:                                  `operation "": invalid argument`,
		`{"op":"SetUp"}`:                      `operation SetUp: unexpected end of JSON input`,
		`{"op":"SetMTU","arg":{"MTU":"big"}}`: `operation SetMTU: json: cannot unmarshal string into Go struct field SetMTU.MTU of type int`,
		`{"op":"AddBridge","arg":{"MAC":"52:54:00:ab:cd"}}`: `operation AddBridge: hardware address "52:54:00:ab:cd": invalid argument`,
		`{"op":"AddAddr","arg":{"Prefix":"10.0.0.1"}}`:      `operation AddAddr: netip.ParsePrefix("10.0.0.1"): no '/'`,
	} {
		var step host.Step
		require.EqualError(t, json.Unmarshal([]byte(text), &step), want, text)
	}
}

// FuzzStep wants of any stored step that it is refused or can be stored again, and that nothing panics on the way.
func FuzzStep(f *testing.F) {
	for _, op := range samples() {
		data, err := json.Marshal(host.Step{Op: op, From: "/network"})
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"op":"Serve","arg":{"Server":{"DNS":null,"Subnets":[{}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var step host.Step
		if json.Unmarshal(data, &step) != nil {
			return
		}
		_ = host.Plan{step}.String()
		if step.Op.Check() != nil {
			return
		}
		stored, err := json.Marshal(step)
		require.NoError(t, err)
		var again host.Step
		require.NoError(t, json.Unmarshal(stored, &again))
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(stored), string(twice))
		if inverse := step.Op.Inverse(); inverse != nil {
			require.NoError(t, inverse.Check())
		}
		step.Op.Holds(&host.Facts{})
	})
}

// TestOptionalZone holds where nobody can do anything about it.
func TestOptionalZone(t *testing.T) {
	in := func(zone string) *host.Facts {
		return &host.Facts{Zones: host.Zones{Running: true, Names: []string{"home", "work"}, Links: []host.ZonedLink{{Link: "br0", Zone: zone}}}}
	}
	op := host.SetZone{Link: "br0", Zone: "home", Optional: true}
	require.True(t, op.Holds(&host.Facts{}), "without firewalld")
	require.True(t, op.Holds(in("home")))
	require.False(t, op.Holds(in("work")))
	op.Zone = "nowhere"
	require.True(t, op.Holds(in("work")), "without the zone")
	op.Optional = false
	require.False(t, op.Holds(in("work")))
	require.Equal(t, "zone nowhere interface br0 (was none)", op.String())
	op.Optional = true
	require.Equal(t, "zone nowhere interface br0 (was none) if there is one", op.String())
}
