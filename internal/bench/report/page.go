// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"strings"
)

// words is the page but for what was measured.
//
//go:embed page.md
var words string

// table is a row for each result, in Markdown.
func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| operation | size | beside | library | result | must reach | reached |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		size, beside := "", ""
		if r.By != "" {
			size = many(r.Size, r.By)
		}
		if r.Beside != "" {
			beside = r.Beside + " " + quantity(r.Other, r.Unit)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.Operation, size, beside, quantity(r.Own, r.Unit), r.amount(r.Verdict), r.must(), r.reached())
	}
	return b.String()
}

// many is how many there are of what a plural names.
func many(count int, plural string) string {
	if count == 1 {
		plural = strings.TrimSuffix(plural, "s")
	}
	return fmt.Sprintf("%d %s", count, plural)
}

// text is the page.
func text(rows []row, machine, picture string) string {
	wanted, missed := 0, 0
	for _, r := range rows {
		if r.wanted != nil {
			wanted++
		}
		if r.missed() {
			missed++
		}
	}
	summary := fmt.Sprintf("Of %d rows that must reach something, %d do and %d do not.", wanted, wanted-missed, missed)
	return strings.NewReplacer("{machine}", machine, "{summary}", summary, "{table}\n", table(rows), "{picture}", picture).Replace(words)
}
