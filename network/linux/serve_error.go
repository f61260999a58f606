// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// speaker is what dnsmasq writes before its words.
var speaker = regexp.MustCompile(`^dnsmasq[a-z-]*(\[\d+\])?: `)

// lastWords are the last things that dnsmasq said, in one line.
func lastWords(log string) string {
	var words []string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(speaker.ReplaceAllString(line, ""))
		if line != "" && line != "FAILED to start up" && !slices.Contains(words, line) {
			words = append(words, line)
		}
	}
	return strings.Join(words[max(0, len(words)-3):], "; ")
}

// A spokenError is an error in the words of dnsmasq, which say already what its kind is.
type spokenError struct {
	words string
	kind  error
}

func (e *spokenError) Error() string { return "dnsmasq: " + e.words }

func (e *spokenError) Unwrap() error { return e.kind }

// atLine is how dnsmasq says which line of its configuration it does not take.
var atLine = regexp.MustCompile(` at line (\d+) of `)

// nameDirective adds to an error about a line of the configuration what stands there. A line of ours that the program does not
// know is one of a feature that it was built without, or is too old for; the last lines are options of the user's own.
func nameDirective(err error, conf []byte, options int) error {
	var spoken *spokenError
	if !errors.As(err, &spoken) {
		return err
	}
	at := atLine.FindStringSubmatch(spoken.words)
	if at == nil {
		return err
	}
	number, _ := strconv.Atoi(at[1])
	lines := strings.Split(strings.TrimSuffix(string(conf), "\n"), "\n")
	if number < 1 || number > len(lines) {
		return err
	}
	own := number <= len(lines)-options
	lacks := strings.Contains(spoken.words, "compile") || own && strings.Contains(spoken.words, "bad option")
	if lacks {
		spoken.kind = errors.ErrUnsupported
		return fmt.Errorf("%w: this dnsmasq cannot do %q", err, lines[number-1])
	}
	return fmt.Errorf("%w: %q", err, lines[number-1])
}

// startError is why dnsmasq ended instead of answering, in its own words.
func startError(log string, status syscall.WaitStatus) error {
	words := lastWords(log)
	if words == "" {
		words = statusWords(status)
	}
	const badConfiguration = 1
	switch {
	case strings.Contains(words, "Address already in use"):
		return &spokenError{words, syscall.EADDRINUSE}
	case strings.Contains(words, "ermission denied"), strings.Contains(words, "not permitted"), strings.Contains(words, "missing required capability"):
		return &spokenError{words, fs.ErrPermission}
	case status.Exited() && status.ExitStatus() == badConfiguration:
		return &spokenError{words, fs.ErrInvalid}
	}
	return fmt.Errorf("dnsmasq: %s", words)
}

func statusWords(status syscall.WaitStatus) string {
	switch {
	case status.Signaled():
		return "ended by signal: " + status.Signal().String()
	case status.Exited() && status.ExitStatus() != 0:
		return fmt.Sprintf("ended with status %d", status.ExitStatus())
	}
	return "ended"
}

// errUnheld is for a port that is in use although no process has it: who had it is about to end.
var errUnheld = errors.New("no process that can be seen holds the port")

// explain adds who holds a port that is in use.
func (b *Backend) explain(err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	port, addr := wantedPort(err.Error())
	var holders []string
	if enterErr := b.enter(func() error {
		holders = portHolders(port, addr)
		return nil
	}); enterErr != nil {
		return err
	}
	if len(holders) == 0 {
		return fmt.Errorf("%w (%w)", err, errUnheld)
	}
	return fmt.Errorf("%w (port %d is held by %s)", err, port, strings.Join(holders, ", "))
}

var socketWords = regexp.MustCompile(`listening socket for ([0-9a-fA-F.:]+)`)

// wantedPort is the port that dnsmasq speaks of, and the address if it names one.
func wantedPort(words string) (port int, addr netip.Addr) {
	switch {
	case strings.Contains(words, "DHCPv6 server socket"):
		return 547, addr
	case strings.Contains(words, "DHCP server socket"):
		return 67, addr
	case strings.Contains(words, "TFTP"):
		port = 69
	default:
		port = 53
	}
	if m := socketWords.FindStringSubmatch(words); m != nil {
		addr, _ = netip.ParseAddr(strings.TrimSuffix(m[1], ":"))
	}
	return port, addr
}

// portHolders names the processes that have the port of this thread's namespace, as far as they can be seen: those on
// that address or on all, or on any if there is no address.
func portHolders(port int, addr netip.Addr) []string {
	inodes := map[string]bool{}
	for _, table := range []string{"udp", "udp6", "tcp", "tcp6"} {
		socketInodes("/proc/thread-self/net/"+table, port, addr, inodes)
	}
	if len(inodes) == 0 {
		return nil
	}
	var holders []string
	processes, _ := os.ReadDir("/proc")
	for _, e := range processes {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !hasSocket(pid, inodes) {
			continue
		}
		name, _ := os.ReadFile(procPath(pid, "comm"))
		holders = append(holders, fmt.Sprintf("process %d, %q", pid, strings.TrimSpace(string(name))))
	}
	return holders
}

// socketInodes collects the sockets of a table of the kernel that are bound to the port.
func socketInodes(table string, port int, addr netip.Addr, inodes map[string]bool) {
	file, err := os.Open(table)
	if err != nil {
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			continue
		}
		local, found, ok := parseSocketAddr(fields[1])
		if ok && found == port && (!addr.IsValid() || local.IsUnspecified() || local.Unmap() == addr) {
			inodes["socket:["+fields[9]+"]"] = true
		}
	}
}

// parseSocketAddr reads ADDRESS:PORT in hexadecimal digits, the address in words of the machine's byte order.
func parseSocketAddr(text string) (addr netip.Addr, port int, ok bool) {
	left, right, _ := strings.Cut(text, ":")
	number, err := strconv.ParseUint(right, 16, 16)
	raw, errRaw := hex.DecodeString(left)
	if err != nil || errRaw != nil || len(raw)%4 != 0 {
		return addr, 0, false
	}
	if littleEndian {
		for word := range slices.Chunk(raw, 4) {
			slices.Reverse(word)
		}
	}
	addr, ok = netip.AddrFromSlice(raw)
	return addr, int(number), ok
}

func hasSocket(pid int, inodes map[string]bool) bool {
	entries, err := os.ReadDir(procPath(pid, "fd"))
	if err != nil {
		return false
	}
	for _, e := range entries {
		if target, err := os.Readlink(procPath(pid, "fd", e.Name())); err == nil && inodes[target] {
			return true
		}
	}
	return false
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1
