// SPDX-License-Identifier: Apache-2.0

// Package host describes the machine that networks are built on: what can be seen of it ([Facts]), what
// can be done to it ([Op]), and how a list of changes ([Plan]) is carried out or taken back as one.
//
// It knows nothing of XML documents, and nothing of netlink. A planner turns a document and the facts into a plan; a
// [Backend] looks at one machine and changes it one operation at a time. Everything in between is a value that can be
// printed, compared, stored and undone:
//
//	facts, err := backend.Facts(ctx, plan.Scope())
//	todo := plan.Missing(facts)       // what does not hold yet
//	fmt.Print(todo)                   // the dry run
//	err = host.Apply(ctx, backend, todo)
//
// Package hosttest has a backend that is a machine in memory, and the test any backend has to pass; package linux has
// the one that talks to the Linux kernel.
package host
