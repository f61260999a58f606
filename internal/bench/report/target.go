// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A target is what an operation must reach.
type target struct {
	// Operation begins the names of those that it is for, and Beside is what they are compared with.
	Operation, Beside string
	// Sizes are those it holds for; none is any.
	Sizes []int
	// Least and Most bound the verdict; 0 is none.
	Least, Most float64
}

// targets are looked through in this order: the first that fits is meant.
var targets = []target{
	{Operation: "Start with dhcp", Beside: "floor", Sizes: []int{0}, Most: 1.3},
	{Operation: "Start", Beside: "with 10", Most: 1.5},
	{Operation: "StartMany", Beside: "libvirt9", Least: 18},
	{Operation: "Open", Beside: "libvirt9", Least: 200},
	{Operation: "Start in process", Beside: "without", Most: 1000},
	{Operation: "Stop", Beside: "floor", Most: 1.15},
	{Operation: "Stop discarding", Beside: "libvirt9", Least: 20},
	{Operation: "StopMany", Beside: "libvirt9", Least: 15},
	{Operation: "Detach logically", Beside: "message", Most: 2},
	{Operation: "Detach in bulk", Beside: "alone", Sizes: []int{8}, Least: 5},
	{Operation: "Detach in bulk", Beside: "alone", Sizes: []int{64}, Least: 20},
	{Operation: "Attach", Beside: "floor", Most: 1.3},
	{Operation: "Attach", Beside: "with 1", Most: 1.5},
	{Operation: "Detach", Beside: "floor", Most: 1.05},
	{Operation: "Shape a port", Beside: "floor", Most: 1.5},
	{Operation: "Rules add", Beside: "floor", Most: 1.5},
	{Operation: "Rules delete", Beside: "floor", Most: 2},
	{Operation: "Round trip", Beside: "one", Most: 2},
	{Operation: "Packet rate", Beside: "one", Least: 0.9},
	{Operation: "Change", Beside: "one", Most: 1.5},
	{Operation: "Limit", Beside: "asked", Sizes: []int{1, 10, 100, 500}, Least: 0.99, Most: 1.01},
	{Operation: "Limit", Beside: "asked", Sizes: []int{1000}, Least: 0.98, Most: 1.02},
	{Operation: "Burst", Beside: "asked", Least: 4.7, Most: 5.1},
	{Operation: "Guarantee", Beside: "asked", Least: 0.98},
	{Operation: "Heap of a network", Most: 8},
	{Operation: "Binary dnsmasq", Beside: "empty", Most: 2},
	{Operation: "Beside libvirt start with dhcp", Beside: "libvirt", Least: 10},
	{Operation: "Beside libvirt start without dhcp", Beside: "libvirt", Least: 40},
	{Operation: "Beside libvirt stop with", Beside: "libvirt", Sizes: []int{0}, Least: 6},
	{Operation: "Beside libvirt start all", Beside: "libvirt", Least: 18},
	{Operation: "Beside libvirt stop all", Beside: "libvirt", Least: 15},
	{Operation: "Beside libvirt restart", Beside: "libvirt", Least: 200},
	{Operation: "Beside libvirt rules add", Beside: "iptables", Least: 50},
	{Operation: "Beside libvirt rules delete", Beside: "iptables", Least: 500},
	{Operation: "Beside libvirt shape a port", Beside: "tc", Least: 100},
}

// A row is a result, and whether it is what it must be.
type row struct {
	result
	wanted *target
}

// order is that of the table, by how operations begin. Others come last.
var order = []string{
	"Start", "Stop", "Open", "Attach", "Detach", "Shape", "Rules", "Round", "Packet", "Change", "Heap", "Binary", "Limit", "Burst", "Guarantee", "Beside",
}

// judge puts results in order, and looks for what each must reach.
func judge(results []result) []row {
	rows := make([]row, len(results))
	for i, r := range results {
		rows[i].result = r
		if j := slices.IndexFunc(targets, func(t target) bool { return t.isFor(r) }); j >= 0 {
			rows[i].wanted = &targets[j]
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.place(), b.place()) })
	return rows
}

// place is where a row stands in the order.
func (r row) place() int {
	place := slices.IndexFunc(order, func(begin string) bool { return strings.HasPrefix(r.Operation, begin) })
	if place < 0 {
		return len(order)
	}
	return place
}

func (t target) isFor(r result) bool {
	return strings.HasPrefix(r.Operation, t.Operation) && t.Beside == r.Beside && (t.Sizes == nil || slices.Contains(t.Sizes, r.Size))
}

// missed reports whether a row is not what it must be.
func (r row) missed() bool {
	if r.wanted == nil {
		return false
	}
	return r.wanted.Least != 0 && r.Verdict < r.wanted.Least || r.wanted.Most != 0 && r.Verdict > r.wanted.Most
}

// reached is a word for the table.
func (r row) reached() string {
	switch {
	case r.wanted == nil:
		return ""
	case r.missed():
		return "**missed**"
	}
	return "yes"
}

// must is what a row must reach, in words.
func (r row) must() string {
	t := r.wanted
	switch {
	case t == nil:
		return ""
	case t.Most == 0:
		return "at least " + r.amount(t.Least)
	case t.Least == 0:
		return "at most " + r.amount(t.Most)
	}
	return r.amount(t.Least) + " to " + r.amount(t.Most)
}

// amount is a verdict, or a bound of one, in words.
func (r row) amount(value float64) string {
	switch r.Kind {
	case "times":
		digits := 3
		if r.Beside == "asked" { // a hundredth counts
			digits = 4
		}
		return short(value, digits) + "×"
	case "faster":
		return short(value, 3) + "× faster"
	case "over":
		return strings.Replace("+"+quantity(value, r.Unit), "+-", "-", 1)
	}
	return quantity(value, r.Unit)
}

// quantity is a value with its unit, in thousands of it where that is shorter.
func quantity(value float64, unit string) string {
	for _, larger := range []struct{ unit, next string }{{"µs", "ms"}, {"ms", "s"}} {
		if unit == larger.unit && math.Abs(value) >= 1000 {
			value, unit = value/1000, larger.next
		}
	}
	return short(value, 3) + " " + unit
}

// short is a number with that many digits that count, and all that stand before the point.
func short(value float64, digits int) string {
	before := int(math.Floor(math.Log10(math.Max(math.Abs(value), 0.001)))) + 1
	return fmt.Sprintf("%.*f", max(0, digits-max(before, 1)), value)
}
