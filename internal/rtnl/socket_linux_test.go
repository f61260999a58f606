// SPDX-License-Identifier: Apache-2.0

package rtnl

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestErrorMeanings(t *testing.T) {
	sentinels := []error{fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, errors.ErrUnsupported}
	for _, c := range []struct {
		errno unix.Errno
		want  error
	}{
		{unix.EEXIST, fs.ErrExist},
		{unix.ENODEV, fs.ErrNotExist}, {unix.ENOENT, fs.ErrNotExist}, {unix.ESRCH, fs.ErrNotExist}, {unix.EADDRNOTAVAIL, fs.ErrNotExist},
		{unix.ENETUNREACH, fs.ErrNotExist}, {unix.EHOSTUNREACH, fs.ErrNotExist}, {unix.ENETDOWN, fs.ErrNotExist},
		{unix.EPERM, fs.ErrPermission}, {unix.EACCES, fs.ErrPermission}, {unix.EROFS, fs.ErrPermission},
		{unix.EINVAL, fs.ErrInvalid}, {unix.ERANGE, fs.ErrInvalid}, {unix.ELOOP, fs.ErrInvalid}, {unix.EXFULL, fs.ErrInvalid},
		{unix.EOPNOTSUPP, errors.ErrUnsupported}, {unix.EAFNOSUPPORT, errors.ErrUnsupported}, {unix.ENOTTY, errors.ErrUnsupported},
		{unix.EBUSY, nil},
	} {
		for _, err := range []error{
			&Error{Errno: c.errno}, &Error{Errno: c.errno, Text: "why"},
			Translate(os.NewSyscallError("ioctl", c.errno)), Translate(Translate(c.errno)),
		} {
			for _, sentinel := range sentinels {
				require.Equal(t, sentinel == c.want, errors.Is(err, sentinel), "%v as %v", c.errno, sentinel)
			}
			require.ErrorIs(t, err, c.errno)
			require.ErrorContains(t, err, c.errno.Error())
		}
	}
	require.NoError(t, Translate(nil))
	require.Equal(t, fs.ErrExist, Translate(fs.ErrExist))
	require.EqualError(t, Translate(os.NewSyscallError("ioctl", unix.EINVAL)), "ioctl: invalid argument")
	require.EqualError(t, &Error{Errno: unix.EINVAL, Text: "mtu too large"}, "mtu too large (invalid argument)")
}

// message is one message as the kernel writes it.
func message(kind uint16, flags uint16, body []byte) []byte {
	m := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, flags)
	m = append(m, make([]byte, 8)...)
	return append(m, body...)
}

func TestNextMessage(t *testing.T) {
	whole := message(unix.RTM_NEWLINK, 0, []byte("abc")) // not aligned
	m, rest, err := nextMessage(append(append(whole, 0), message(unix.NLMSG_DONE, 0, nil)...))
	require.NoError(t, err)
	require.Equal(t, "abc", string(m.Data))
	require.Len(t, rest, unix.NLMSG_HDRLEN)
	m, rest, err = nextMessage(whole)
	require.NoError(t, err)
	require.Equal(t, "abc", string(m.Data))
	require.Empty(t, rest)

	for _, bad := range [][]byte{
		whole[:15], whole[:18], message(unix.RTM_NEWLINK, 0, nil)[:0],
		append([]byte{0, 0, 0, 0}, whole[4:]...), append([]byte{0xff, 0xff, 0xff, 0xff}, whole[4:]...),
	} {
		_, _, err := nextMessage(bad)
		require.Error(t, err, "%x", bad)
	}
}

func TestRefusal(t *testing.T) {
	no := binary.NativeEndian.AppendUint32(nil, uint32(0xffffffff&-int64(unix.EPERM)))
	head := make([]byte, unix.NLMSG_HDRLEN)
	binary.NativeEndian.PutUint32(head, unix.NLMSG_HDRLEN+5)
	attribute := append(binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, 8), 1), "why\x00"...)
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, c := range []struct {
		name  string
		kind  uint16
		flags uint16
		body  []byte
		want  string
	}{
		{"consent", unix.NLMSG_ERROR, 0, join(make([]byte, 4), head), ""},
		{"the end", unix.NLMSG_DONE, 0, make([]byte, 4), ""},
		{"the end without a number", unix.NLMSG_DONE, 0, nil, ""},
		{"a number alone", unix.NLMSG_ERROR, 0, join(no, head), "operation not permitted"},
		{"with a text", unix.NLMSG_ERROR, 0x300, join(no, head, attribute), "why (operation not permitted)"},
		{"with a text behind the whole request", unix.NLMSG_ERROR, 0x200, join(no, head, make([]byte, 8), attribute), "why (operation not permitted)"},
		{"the end with a text", unix.NLMSG_DONE, 0x200, join(no, attribute), "why (operation not permitted)"},
		{"a text that ends early", unix.NLMSG_ERROR, 0x300, join(no, head, attribute[:3]), "operation not permitted"},
		{"no number", unix.NLMSG_ERROR, 0, []byte{1}, "the kernel's acknowledgement has 1 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _, err := nextMessage(message(c.kind, c.flags, c.body))
			require.NoError(t, err)
			if err := refusal(m); c.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.want)
			}
		})
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(message(unix.RTM_NEWLINK, 0, make([]byte, 64)))
	f.Add(message(unix.NLMSG_ERROR, 0x200, make([]byte, 40)))
	f.Add(append(message(unix.RTM_NEWADDR, 2, make([]byte, 20)), message(unix.NLMSG_DONE, 2, nil)...))
	c := &Conn{}
	f.Fuzz(func(t *testing.T, data []byte) {
		for len(data) > 0 {
			m, rest, err := nextMessage(data)
			if err != nil {
				return
			}
			if len(rest) >= len(data) {
				t.Fatal("no progress")
			}
			_, _ = read(m, request{flags: netlink.Acknowledge})
			_, _ = parseLink(m.Data)
			_, _ = c.parseAddr(m.Data)
			_, _ = notice(uint16(m.Header.Type), m.Data)
			data = rest
		}
	})
}

func TestSteady(t *testing.T) {
	for _, c := range []struct {
		name         string
		interrupted  int
		err          error
		want, rounds int
	}{
		{"at once", 0, nil, 1, 1}, {"in the end", 5, nil, 6, 6}, {"never", tries + 1, ErrInterrupted, 0, tries},
	} {
		t.Run(c.name, func(t *testing.T) {
			rounds := 0
			got, err := steady(func() ([]int, bool, error) {
				rounds++
				return []int{rounds}, rounds <= c.interrupted, nil
			})
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.rounds, rounds)
			if c.err == nil {
				require.Equal(t, []int{c.want}, got)
			}
		})
	}
	_, err := steady(func() ([]int, bool, error) { return nil, true, unix.EIO })
	require.ErrorIs(t, err, unix.EIO)
}

func TestMessagesAreWhole(t *testing.T) {
	_, err := linkBody(0, 0, 0, func(ae *netlink.AttributeEncoder) { ae.Bytes(1, []byte(strings.Repeat("x", 70000))) })
	require.Error(t, err)
}
