// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// agentPatience ends a wait for an agent that does not answer a message.
	agentPatience = 2 * time.Second
	// maxAgentMessage is more than an agent sends at once (4096 bytes).
	maxAgentMessage = 8 << 10
)

// NotifyPort is the netlink port to which agents send what switches tell of guests. It is the same in every process, so that
// who comes after one that has ended hears of the guests of that one; process numbers are never so high.
const NotifyPort = 0x766e6574

// An Agent is a program like lldpad, which tells switches of guests and takes the messages of rtnetlink that are about port
// profiles. It is for one caller at a time.
type Agent struct {
	port uint32
	file *os.File
	seq  uint32
}

// Agent opens a conversation with the agent at a netlink port, which is the number of its process.
func (c *Conn) Agent(port uint32) (*Agent, error) {
	file, err := c.unicast(0)
	if err != nil {
		return nil, err
	}
	return &Agent{port: port, file: file}, nil
}

// unicast opens a socket at a netlink port, or one that the kernel chooses for 0, that can be waited for with a deadline.
func (c *Conn) unicast(port uint32) (file *os.File, err error) {
	err = c.enter(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port}); err != nil {
			unix.Close(fd)
			return os.NewSyscallError("bind", err)
		}
		file = os.NewFile(uintptr(fd), "rtnetlink")
		return nil
	})
	return file, Translate(err)
}

// Close ends the conversation.
func (a *Agent) Close() error { return a.file.Close() }

// A PortResponse is how far a switch has come with a guest.
type PortResponse struct {
	Instance [16]byte
	// Done says that there is an answer, and Code is it: 0 is consent.
	Done bool
	Code uint16
}

// Request asks the agent to do something about a guest on the link of that number and name, which it takes upon itself and has
// not done when this returns. Its refusal is an [*Error]; so is ECONNREFUSED if there is no agent.
func (a *Agent) Request(ctx context.Context, index int, link string, p PortProfile) error {
	body, err := p.vsiBody(index, link)
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, unix.RTM_SETLINK, body, NotifyPort)
	return err
}

// Responses asks how far the switch has come with the guests on a link. One that is not listed is not known, or has just been
// told of for the last time.
func (a *Agent) Responses(ctx context.Context, index int) ([]PortResponse, error) {
	const virtualFunctions = 1 // RTEXT_FILTER_VF
	body, err := linkBody(index, 0, 0, func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.IFLA_EXT_MASK, virtualFunctions) })
	if err != nil {
		return nil, err
	}
	answer, err := a.ask(ctx, unix.RTM_GETLINK, body, 0)
	if err != nil {
		return nil, err
	}
	return parseResponses(answer)
}

// ask sends a message that says it is from that port, and returns what follows the header of the answer.
func (a *Agent) ask(ctx context.Context, kind uint16, body []byte, from uint32) ([]byte, error) {
	a.seq++
	message := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	binary.NativeEndian.PutUint32(message, uint32(unix.NLMSG_HDRLEN+len(body)))
	binary.NativeEndian.PutUint16(message[4:], kind)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	binary.NativeEndian.PutUint32(message[8:], a.seq)
	binary.NativeEndian.PutUint32(message[12:], from)
	message = append(message, body...)
	if err := sendTo(a.file, message, a.port); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = a.file.SetReadDeadline(time.Unix(1, 0)) })()
	if err := a.file.SetReadDeadline(time.Now().Add(agentPatience)); err != nil {
		return nil, err
	}
	for ctx.Err() == nil {
		m, err := receiveFrom(a.file, a.port, true)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("the agent with number %d does not answer: %w", a.port, err)
		case err != nil:
			return nil, err
		case m.Header.Sequence != a.seq:
			continue
		case m.Header.Type == netlink.Error:
			return nil, refusal(m)
		}
		return m.Data, nil // of type Done, which carries what was asked for
	}
	return nil, context.Cause(ctx)
}

// A PortNotice is what an agent tells on behalf of a switch.
type PortNotice struct {
	Instance [16]byte
	// Request is what the switch has done: PortDisassociate is all that is known.
	Request uint8
}

// Notices is the socket at [NotifyPort], which one process of a namespace can have. A second wraps fs.ErrExist.
type Notices struct{ file *os.File }

// Notices opens the socket.
func (c *Conn) Notices() (*Notices, error) {
	file, err := c.unicast(NotifyPort)
	if errors.Is(err, unix.EADDRINUSE) {
		err = fmt.Errorf("%w: %w", fs.ErrExist, err)
	}
	return &Notices{file: file}, err
}

// FD is for waiting; it is readable when there is something to be read.
func (n *Notices) FD() (fd int) {
	conn, err := n.file.SyscallConn()
	if err != nil {
		return -1
	}
	_ = conn.Control(func(raw uintptr) { fd = int(raw) })
	return fd
}

// Close closes the socket.
func (n *Notices) Close() error { return n.file.Close() }

// Read hands over what the agent at that port has told, without waiting. What others say is passed over.
func (n *Notices) Read(agent uint32, take func(PortNotice)) error {
	for {
		m, err := receiveFrom(n.file, agent, false)
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return err
		}
		if m.Header.Type != unix.RTM_SETLINK {
			continue
		}
		notices, err := parseNotices(m.Data)
		if err != nil {
			continue // nothing that we could do anything about
		}
		for _, notice := range notices {
			take(notice)
		}
	}
}

func sendTo(file *os.File, message []byte, port uint32) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = conn.Write(func(fd uintptr) bool {
		for {
			sent = unix.Sendto(int(fd), message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port})
			if sent != unix.EINTR {
				return sent != unix.EAGAIN
			}
		}
	})
	return errors.Join(err, Translate(os.NewSyscallError("sendto", sent)))
}

// receiveFrom reads a message from one port. Unless it waits for one, the error is EAGAIN if there is none.
func receiveFrom(file *os.File, port uint32, wait bool) (m netlink.Message, err error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return m, err
	}
	in := make([]byte, maxAgentMessage)
	for {
		var n int
		var from unix.Sockaddr
		var received error
		err := conn.Read(func(fd uintptr) bool {
			for {
				n, from, received = unix.Recvfrom(int(fd), in, 0)
				if received != unix.EINTR {
					return !wait || received != unix.EAGAIN
				}
			}
		})
		if err != nil {
			return m, err
		}
		if received != nil {
			return m, Translate(os.NewSyscallError("recvfrom", received))
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != port {
			continue // any process may send here
		}
		if m, _, err = nextMessage(in[:n]); err == nil {
			return m, nil
		}
	}
}
