// SPDX-License-Identifier: Apache-2.0

// Package virtnet is the root of an embeddable library that does in-process what libvirt's network driver does with a
// daemon. Documents in libvirt's dialect are parsed, checked and completed ([network], [domainiface]); a pure function turns
// a document and the facts about a host into a plan; a backend carries the plan out ([network/host]). A plan is a value: it
// can be printed before it is done, is recorded before its first step, and is taken back whole if a step fails or the program
// is killed. One backend talks to the Linux kernel ([network/linux]), another is a machine in memory for tests
// ([network/hosttest]), and one's own is two methods. There is no daemon, no cgo, and no goroutine that nobody asked for.
//
//	<network> ── Parse, Validate ──▶ document ── complete ──▶ Plan ◀── Facts ── host
//	                                                           │
//	                                                     Apply │ Revert
//	                                                           ▼
//	                               bridge · filter · addresses · routes · DHCP and DNS · taps
//
// Starting libvirt's default network, and giving a guest a tap on it:
//
//	backend, err := linux.Open(linux.Config{Engine: &serve.Engine{}}) // without an engine dnsmasq answers guests
//	nets, err := network.Open(ctx, backend, network.Dirs("/var/lib/example", "/run/example"))
//	definition, err := network.Parse(file)
//	err = nets.Define(ctx, definition)
//	err = nets.Start(ctx, "default")
//	port, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "web"}, nic)
//	queues, err := port.Open(ctx, 1) // descriptors for the virtual machine monitor
//
// [network]: https://pkg.go.dev/github.com/go-virtnet/virtnet/network
// [domainiface]: https://pkg.go.dev/github.com/go-virtnet/virtnet/domainiface
// [network/host]: https://pkg.go.dev/github.com/go-virtnet/virtnet/network/host
// [network/linux]: https://pkg.go.dev/github.com/go-virtnet/virtnet/network/linux
// [network/hosttest]: https://pkg.go.dev/github.com/go-virtnet/virtnet/network/hosttest
package virtnet
