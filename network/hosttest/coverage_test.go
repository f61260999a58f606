// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestSuiteCoversEveryOperation reads package host, so that an operation without a case cannot be added.
func TestSuiteCoversEveryOperation(t *testing.T) {
	tested := map[string]bool{}
	bad := map[string]bool{}
	for _, c := range allCases() {
		name := reflect.TypeOf(c.op).Name()
		tested[name] = true
		bad[name] = bad[name] || len(c.bad) > 0
		if inverse := c.op.Inverse(); inverse != nil {
			tested[reflect.TypeOf(inverse).Name()] = true
			bad[reflect.TypeOf(inverse).Name()] = bad[name]
		}
	}
	for _, name := range operationTypes(t) {
		if !tested[name] {
			t.Errorf("%s has no case in the suite", name)
		}
		if !bad[name] && !strings.HasSuffix(name, "Forwarding") {
			t.Errorf("%s has no case that Check refuses", name)
		}
	}
}

// allCases has the cases for a function among the others.
func allCases() []opCase {
	fn := host.Function{PCI: host.PCI{Bus: 1}, Generation: 1, PF: "eth8", Driver: "igbvf", VF: host.VF{MAC: tap0.MAC, Trust: host.Off, SpoofCheck: host.On}}
	cases := opCases()
	for _, c := range functionCases(fn, host.Link{Name: "eth8v0", MAC: tap0.MAC, MTU: 1500}) {
		cases = append(cases, c)
	}
	return cases
}

// operationTypes are the exported types of package host that have a method Inverse and are no plan.
func operationTypes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../host/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source of package host: ", err)
	}
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			method, ok := decl.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "Inverse" || strings.HasSuffix(file, "_test.go") {
				continue
			}
			if name, ok := method.Recv.List[0].Type.(*ast.Ident); ok && name.IsExported() && name.Name != "Plan" {
				names = append(names, name.Name)
			}
		}
	}
	slices.Sort(names)
	if len(names) < 20 {
		t.Fatalf("only %d operations found: %v", len(names), names)
	}
	return names
}

// TestCasesAreChecked makes sure that what the suite takes for bad is, and that all else passes.
func TestCasesAreChecked(t *testing.T) {
	for _, c := range allCases() {
		for _, op := range slices.Concat(c.before, c.dangling, slices.Concat(c.foreign...)) {
			if err := op.Check(); err != nil {
				t.Errorf("%s: %s: %v", c.name, op, err)
			}
		}
		for _, op := range c.bad {
			if reflect.TypeOf(op) != reflect.TypeOf(c.op) || !errors.Is(op.Check(), fs.ErrInvalid) {
				t.Errorf("%s: %s is not refused", c.name, op)
			}
		}
	}
}
