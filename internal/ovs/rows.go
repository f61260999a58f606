// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-virtnet/virtnet/network/host"
)

// ownerKey is the key of our mark on what we make, and linkKey that of the port that a row belongs to.
const (
	ownerKey = "virtnet"
	linkKey  = "ifname"
)

// The keys under which those who govern a switch look for an interface.
const (
	macKey     = "attached-mac"
	idKey      = "iface-id"
	guestKey   = "vm-id"
	profileKey = "port-profile"
	statusKey  = "iface-status"
)

// htb is the type of the queues that limit what a port sends.
const htb = "linux-htb"

type portRow struct {
	UUID        uuid                 `json:"_uuid"`
	Name        string               `json:"name"`
	Tag         set[uint16]          `json:"tag"`
	Trunks      set[uint16]          `json:"trunks"`
	Mode        set[string]          `json:"vlan_mode"`
	QoS         set[uuid]            `json:"qos"`
	ExternalIDs dict[string, string] `json:"external_ids"`
}

var portColumns = []string{"_uuid", "name", "tag", "trunks", "vlan_mode", "qos", "external_ids"}

type interfaceRow struct {
	UUID        uuid                 `json:"_uuid"`
	Name        string               `json:"name"`
	ExternalIDs dict[string, string] `json:"external_ids"`
	// The rate in kilobits of 1000 bits per second, and the burst in those of 1024.
	Rate  uint64 `json:"ingress_policing_rate"`
	Burst uint64 `json:"ingress_policing_burst"`
}

var interfaceColumns = []string{"_uuid", "name", "external_ids", "ingress_policing_rate", "ingress_policing_burst"}

type qosRow struct {
	UUID        uuid                 `json:"_uuid"`
	Type        string               `json:"type"`
	OtherConfig dict[string, string] `json:"other_config"`
	Queues      dict[int, uuid]      `json:"queues"`
}

var qosColumns = []string{"_uuid", "type", "other_config", "queues"}

type queueRow struct {
	UUID        uuid                 `json:"_uuid"`
	OtherConfig dict[string, string] `json:"other_config"`
}

var queueColumns = []string{"_uuid", "other_config"}

// vlanColumns are those of a Port that say what VLANs it is in.
func vlanColumns(v host.OVSVLAN) map[string]any {
	row := map[string]any{"vlan_mode": set[string]{}, "tag": set[uint16]{}, "trunks": set[uint16](v.Trunks)}
	if v.Mode != "" {
		row["vlan_mode"] = set[string]{string(v.Mode)}
	}
	if v.Tag != 0 {
		row["tag"] = set[uint16]{v.Tag}
	}
	return row
}

// vlan reads them. Others leave the mode to the tags.
func (r *portRow) vlan() host.OVSVLAN {
	v := host.OVSVLAN{Mode: host.OVSMode(r.Mode.first()), Tag: r.Tag.first(), Trunks: slices.Sorted(slices.Values(r.Trunks))}
	switch {
	case v.Mode != "":
	case len(r.Tag) > 0:
		v.Mode = host.Access
	case len(r.Trunks) > 0:
		v.Mode = host.Trunk
	}
	return v
}

// identity is what is said of a guest's interface to those who govern the switch.
func identity(p host.OVSPort) dict[string, string] {
	ids := dict[string, string]{macKey: p.MAC.String(), statusKey: "active"}
	for key, value := range map[string]string{idKey: p.InterfaceID, guestKey: p.GuestID, profileKey: p.Profile} {
		if value != "" {
			ids[key] = value
		}
	}
	if p.Profile != "" {
		ids[linkKey] = p.Link
	}
	return ids
}

// identityKeys are all that identity may have.
var identityKeys = set[string]{macKey, idKey, guestKey, profileKey, linkKey, statusKey}

// policing are the columns of an Interface that limit what the switch receives.
func policing(l host.Limit) map[string]any {
	return map[string]any{"ingress_policing_rate": l.Rate * 8, "ingress_policing_burst": l.Burst * 8}
}

func (r *interfaceRow) limit() (l host.Limit, ok bool) {
	l = host.Limit{Rate: r.Rate / 8, Ceil: r.Rate / 8, Burst: r.Burst / 8}
	return l, l.Rate*8 == r.Rate && l.Burst*8 == r.Burst
}

// The configuration of linux-htb is in bits: per second of 1000, and of bursts of 1024.
func qosConfig(l host.Limit) dict[string, string] {
	return dict[string, string]{"max-rate": strconv.FormatUint(l.Ceil*8000, 10)}
}

func queueConfig(l host.Limit) dict[string, string] {
	return dict[string, string]{
		"min-rate": strconv.FormatUint(l.Rate*8000, 10), "max-rate": strconv.FormatUint(l.Ceil*8000, 10), "burst": strconv.FormatUint(l.Burst*8192, 10),
	}
}

// limit reads both, as they are written.
func (q *qosRow) limit(queues []queueRow) (l host.Limit, ok bool) {
	number := func(config dict[string, string], key string, unit uint64) uint64 {
		n, _ := strconv.ParseUint(config[key], 10, 64)
		return n / unit
	}
	i := slices.IndexFunc(queues, func(r queueRow) bool { return r.UUID == q.Queues[0] })
	if i < 0 || q.Type != htb || len(q.Queues) != 1 {
		return l, false
	}
	config := queues[i].OtherConfig
	l = host.Limit{Rate: number(config, "min-rate", 8000), Ceil: number(config, "max-rate", 8000), Burst: number(config, "burst", 8192)}
	return l, maps.Equal(config, queueConfig(l)) && maps.Equal(q.OtherConfig, qosConfig(l))
}

// A picture is what was read of ports, with what belongs to them.
type picture struct {
	ports      []portRow
	interfaces []interfaceRow
	qos        []qosRow
	queues     []queueRow
}

// port is what a row means, on that bridge.
func (pic *picture) port(row *portRow, bridge string) host.OVSPort {
	p := host.OVSPort{Link: row.Name, Bridge: bridge, Owner: row.ExternalIDs[ownerKey], VLAN: row.vlan()}
	for i := range pic.interfaces {
		r := &pic.interfaces[i]
		if r.Name != row.Name {
			continue
		}
		_ = p.MAC.UnmarshalText([]byte(r.ExternalIDs[macKey])) // somebody else may have written anything
		p.InterfaceID, p.GuestID, p.Profile = r.ExternalIDs[idKey], r.ExternalIDs[guestKey], r.ExternalIDs[profileKey]
		var ok bool
		if p.Ingress, ok = r.limit(); !ok {
			p.Other = fmt.Sprintf("ingress_policing_rate=%d ingress_policing_burst=%d", r.Rate, r.Burst)
		}
	}
	if len(row.QoS) == 0 {
		return p
	}
	i := slices.IndexFunc(pic.qos, func(q qosRow) bool { return q.UUID == row.QoS.first() })
	if i < 0 {
		p.Other = "qos " + string(row.QoS.first())
		return p
	}
	limit, ok := pic.qos[i].limit(pic.queues)
	if p.Egress = limit; !ok {
		p.Egress, p.Other = host.Limit{}, fmt.Sprintf("qos %s %v", pic.qos[i].Type, map[string]string(pic.qos[i].OtherConfig))
	}
	return p
}
