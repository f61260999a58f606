// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network/schema"
)

// asked is an interface of the network lan with content.
func asked(content string) string {
	return `<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/>` + content + `</interface>`
}

func attached(t *testing.T, netns, text string) *domainiface.Port {
	t.Helper()
	m, nets := onLAN(t)
	m.AddNamespace("/run/netns/web")
	p, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web", Namespace: netns}, nic(t, text))
	require.NoError(t, err)
	return p
}

var (
	one    = domainiface.Inherited(1)
	two    = domainiface.Inherited(2)
	kernel = domainiface.Descriptors{Queues: []int{3, 4}, Vhost: []int{5, 6}}
)

func TestQEMUArgs(t *testing.T) {
	for name, c := range map[string]struct {
		content, id    string
		d              domainiface.Descriptors
		netdev, device string
	}{
		"nothing said": {"", "", one,
			"tap,id=hostnet0,fd=3",
			"virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:00:00:01,host_mtu=1400"},
		"a name of the caller": {"<alias name='ua-lan'/>", "nic-1", one,
			"tap,id=hostnic-1,fd=3",
			"virtio-net-pci,netdev=hostnic-1,id=nic-1,mac=52:54:00:00:00:01,host_mtu=1400"},
		"a name of the document": {"<alias name='ua-lan'/>", "", one,
			"tap,id=hostua-lan,fd=3",
			"virtio-net-pci,netdev=hostua-lan,id=ua-lan,mac=52:54:00:00:00:01,host_mtu=1400"},
		"queues in the kernel": {"<model type='virtio-non-transitional'/><driver name='vhost' queues='2'/>", "", kernel,
			"tap,id=hostnet0,fds=3:4,vhost=on,vhostfds=5:6",
			"virtio-net-pci-non-transitional,netdev=hostnet0,id=net0,mac=52:54:00:00:00:01,mq=on,vectors=6,host_mtu=1400"},
		"fewer queues than there could be": {"<model type='virtio'/><driver queues='4'/>", "", one,
			"tap,id=hostnet0,fd=3",
			"virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:00:00:01,host_mtu=1400"},
		"another card": {"<model type='e1000'/><boot order='2'/><rom enabled='no'/><acpi index='7'/><mtu size='1300'/>", "", one,
			"tap,id=hostnet0,fd=3",
			"e1000,netdev=hostnet0,id=net0,mac=52:54:00:00:00:01,bootindex=2,acpi-index=7,romfile="},
		"a comma begins no option": {"<model type='virtio'/><rom bar='on' file='/srv/a,b.rom'/>", "", one,
			"tap,id=hostnet0,fd=3",
			"virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:00:00:01,host_mtu=1400,rombar=on,romfile=/srv/a,,b.rom"},
		"everything of virtio": {`<model type='virtio'/><mtu size='1300'/><tune><sndbuf>65536</sndbuf></tune><teaming type='persistent'/>
			<driver name='qemu' txmode='timer' ioeventfd='on' event_idx='off' queues='2' rx_queue_size='512' tx_queue_size='256' rss='on' rss_hash_report='off'
				iommu='on' ats='on' packed='off' page_per_vq='on'>
				<host csum='off' gso='off' tso4='on' tso6='off' ecn='off' ufo='off' mrg_rxbuf='on'/><guest csum='off' tso4='off' tso6='on' ecn='off' ufo='off'/></driver>`, "", two,
			"tap,id=hostnet0,fds=3:4,sndbuf=65536",
			"virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:00:00:01,mq=on,vectors=6,host_mtu=1300,failover=on,tx=timer,ioeventfd=on,event_idx=off,rss=on,hash=off," +
				"rx_queue_size=512,tx_queue_size=256,iommu_platform=on,ats=on,packed=off,page-per-vq=on," +
				"csum=off,gso=off,host_tso4=on,host_tso6=off,host_ecn=off,host_ufo=off,mrg_rxbuf=on,guest_csum=off,guest_tso4=off,guest_tso6=on,guest_ecn=off,guest_ufo=off"},
	} {
		t.Run(name, func(t *testing.T) {
			args, err := attached(t, "", asked(c.content)).QEMUArgs(c.id, c.d)
			require.NoError(t, err)
			require.Equal(t, []string{"-netdev", c.netdev, "-device", c.device}, args)
		})
	}
}

func TestCloudHypervisor(t *testing.T) {
	for name, c := range map[string]struct {
		content    string
		d          domainiface.Descriptors
		text, json string
	}{
		"nothing said": {"", one,
			"fd=3,mac=52:54:00:00:00:01,num_queues=2,mtu=1400,id=net0",
			`{"id":"net0","mac":"52:54:00:00:00:01","mtu":1400,"num_queues":2}`},
		"everything": {`<alias name='ua-a'/><mtu size='1300'/><model type='virtio'/>
			<driver queues='2' rx_queue_size='512' iommu='on'><host tso4='on' tso6='off' csum='on'/></driver>`, two,
			"fd=[3,4],mac=52:54:00:00:00:01,num_queues=4,queue_size=512,mtu=1300,iommu=on,offload_tso=off,offload_csum=on,id=ua-a",
			`{"id":"ua-a","mac":"52:54:00:00:00:01","mtu":1300,"num_queues":4,"queue_size":512,"iommu":true,"offload_tso":false,"offload_csum":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := attached(t, "", asked(c.content)).CloudHypervisor("", c.d)
			require.NoError(t, err)
			require.Equal(t, c.text, n.String())
			got, err := json.Marshal(n)
			require.NoError(t, err)
			require.Equal(t, c.json, string(got))
		})
	}
}

func TestFirecracker(t *testing.T) {
	n, err := attached(t, "", asked("<target dev='web0'/>")).Firecracker("eth0")
	require.NoError(t, err)
	got, err := json.Marshal(n)
	require.NoError(t, err)
	require.Equal(t, `{"iface_id":"eth0","host_dev_name":"web0","guest_mac":"52:54:00:00:00:01"}`, string(got))
}

// TestMonitorsRefuse: what a monitor cannot do is said with the place that asks for it.
func TestMonitorsRefuse(t *testing.T) {
	qemu := func(id string, d domainiface.Descriptors) func(*domainiface.Port) error {
		return func(p *domainiface.Port) error { _, err := p.QEMUArgs(id, d); return err }
	}
	cloud := func(d domainiface.Descriptors) func(*domainiface.Port) error {
		return func(p *domainiface.Port) error { _, err := p.CloudHypervisor("", d); return err }
	}
	fire := func(p *domainiface.Port) error { _, err := p.Firecracker(""); return err }
	const e1000, vhost, queues = "<model type='e1000'/>", "<model type='virtio'/><driver name='vhost' queues='2'/>", "<model type='virtio'/><driver name='qemu' queues='2'/>"
	for name, c := range map[string]struct {
		content string
		netns   string
		do      func(*domainiface.Port) error
		is      error
		says    string
	}{
		"no descriptor":             {"", "", qemu("", domainiface.Descriptors{}), fs.ErrInvalid, "from 1 to 1 are allowed"},
		"more than the driver has":  {queues, "", qemu("", domainiface.Inherited(3)), fs.ErrInvalid, "/interface/driver/@queues: 3 descriptors, from 1 to 2"},
		"half of vhost":             {vhost, "", qemu("", domainiface.Descriptors{Queues: []int{3, 4}, Vhost: []int{5}}), fs.ErrInvalid, "none or as many"},
		"vhost without":             {vhost, "", qemu("", two), fs.ErrInvalid, "/interface/driver/@name: vhost needs"},
		"vhost unwanted":            {queues, "", qemu("", kernel), fs.ErrInvalid, "/interface/driver/@name: qemu takes no"},
		"an id with a comma":        {"", "", qemu("a,b", one), fs.ErrInvalid, "are allowed"},
		"an id that begins with -":  {"", "", qemu("-a", one), fs.ErrInvalid, "are allowed"},
		"a card without queues":     {e1000, "", qemu("", two), fs.ErrInvalid, "/interface/driver/@queues: 2 descriptors, from 1 to 1"},
		"a card of Xen":             {"<model type='netfront'/>", "", qemu("", one), errors.ErrUnsupported, "/interface/model/@type"},
		"no tap":                    {"", "/run/netns/web", qemu("", one), errors.ErrUnsupported, "neither a tap nor a macvtap"},
		"Cloud Hypervisor: card":    {e1000, "", cloud(one), errors.ErrUnsupported, "/interface/model/@type: Cloud Hypervisor"},
		"Cloud Hypervisor: vhost":   {vhost, "", cloud(two), errors.ErrUnsupported, "/interface/driver/@name: Cloud Hypervisor"},
		"Cloud Hypervisor: files":   {"", "", cloud(kernel), errors.ErrUnsupported, "has no vhost"},
		"Cloud Hypervisor: none":    {"", "", cloud(domainiface.Descriptors{}), fs.ErrInvalid, "from 1 to 1"},
		"Firecracker: card":         {e1000, "", fire, errors.ErrUnsupported, "/interface/model/@type: Firecracker"},
		"Firecracker: queues":       {queues, "", fire, errors.ErrUnsupported, "/interface/driver/@queues: Firecracker"},
		"Firecracker: vhost":        {"<model type='virtio'/><driver name='vhost'/>", "", fire, errors.ErrUnsupported, "/interface/driver/@name: Firecracker"},
		"Firecracker: a pair":       {"", "/run/netns/web", fire, errors.ErrUnsupported, "is none"},
		"Firecracker: alias of Xen": {"<model type='vmxnet'/>", "", fire, errors.ErrUnsupported, "/interface/model/@type"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.do(attached(t, c.netns, asked(c.content)))
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// TestMonitorsOfForeignPort: a port that was made through the manager has no interface, and still a device.
func TestMonitorsOfForeignPort(t *testing.T) {
	p := attached(t, "", asked(""))
	p.Interface = nil
	args, err := p.QEMUArgs("", one)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(args[3], "virtio-net-pci,"), args[3])
	require.Equal(t, schema.MAC{0x52, 0x54, 0, 0, 0, 1}, p.MAC)
}
