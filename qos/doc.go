// SPDX-License-Identifier: Apache-2.0

// Package qos holds the <bandwidth> element of networks, port groups, interfaces and ports: how much
// may pass, in which direction, and what is guaranteed. It says nothing about how that is brought about.
//
//	b := qos.Bandwidth{Inbound: &qos.Rate{Average: schema.Num(1000), Peak: schema.Num(5000), Burst: schema.Num(1024)}}
package qos
