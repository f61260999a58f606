// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/trust"
)

// A process is a running server. It is held by a descriptor, so that it cannot be taken for another process that gets
// its number later.
type process struct {
	pid   int
	pidfd int
}

// A processRecord is what process.json holds.
type processRecord struct {
	PID int
	// Start is when the process began, in clock ticks since the boot: with the number it names one process.
	Start uint64
	// Instance is the machine and network namespace that it serves.
	Instance string
	// Here is set if it is a process of ours that answers by itself, and not a program.
	Here bool `json:",omitempty"`
}

// start runs dnsmasq in the backend's namespace, with the lock as its standard error.
func (b *Backend) start(program string, files serverFiles, lock *os.File) (*process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	p := &process{pidfd: -1}
	err = b.enterTied(func() (err error) {
		p.pid, err = syscall.ForkExec(program, files.command(program), &syscall.ProcAttr{
			Dir: "/",
			// Its words are read, so they must not be translated; names beyond ASCII need an encoding. To load the other parts
			// of a locale takes as long as all that it does besides.
			Env:   []string{"LC_CTYPE=C.UTF-8", "PATH=" + os.Getenv("PATH")},
			Files: []uintptr{null.Fd(), null.Fd(), lock.Fd()},
			Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &p.pidfd},
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	if p.pidfd < 0 {
		// A kernel that cannot give it at once: our own child keeps its number until it is waited for.
		if p.pidfd, err = unix.PidfdOpen(p.pid, 0); err != nil {
			return nil, errors.Join(fmt.Errorf("process descriptor: %w", err), syscall.Kill(p.pid, syscall.SIGKILL))
		}
	}
	b.servers.tie(p)
	return p, nil
}

// command is the command line of the server, by which it is found again.
func (f serverFiles) command(program string) []string {
	return []string{program, "--conf-file=" + f.path(confFile), "--keep-in-foreground"}
}

func (p *process) close() { unix.Close(p.pidfd) }

// ended waits up to a time for the process to end. It does not reap it.
func (p *process) ended(wait time.Duration) (bool, error) {
	return polled(p.pidfd, wait)
}

func polled(fd int, wait time.Duration) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	timeout := unix.NsecToTimespec(wait.Nanoseconds())
	n, err := unix.Ppoll(fds, &timeout, nil)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return n > 0, os.NewSyscallError("ppoll", err)
}

// ready waits until the server answers.
func (p *process) ready(ctx context.Context, log *os.File) error {
	begin := time.Now()
	for deadline := begin.Add(startTimeout); ; {
		ended, err := p.ended(untilNextLook(begin))
		if err != nil {
			return err
		}
		text, err := readLog(log)
		switch {
		case err != nil:
			return err
		case !ended && strings.Contains(text, ": started, version "):
			return nil
		case ended:
			status, _ := p.reap()
			return startError(text, status)
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("dnsmasq does not answer after %s: %s", startTimeout, lastWords(text))
		}
	}
}

// untilNextLook is how long to wait before the log of a program is read again from which something is expected since begin: what
// is found is late by a small part of the time that it took.
func untilNextLook(begin time.Time) time.Duration {
	const least, most = 50 * time.Microsecond, 5 * time.Millisecond
	return min(max(time.Since(begin)/40, least), most)
}

// reserve makes room for what is waited for behind a place of a log: on a full disk the server would say it in vain.
func reserve(log *os.File, from int64) error {
	err := unix.Fallocate(int(log.Fd()), unix.FALLOC_FL_KEEP_SIZE, from, 16<<10)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINTR) {
		return nil // it is room enough, almost always
	}
	if err != nil {
		return &fs.PathError{Op: "fallocate", Path: log.Name(), Err: err}
	}
	return nil
}

func readLog(log *os.File) (string, error) {
	data, err := io.ReadAll(io.NewSectionReader(log, 0, 1<<16))
	return string(data), err
}

// signal sends a signal to this process and no other.
func (p *process) signal(s syscall.Signal) error {
	if p.pid <= 1 {
		return fmt.Errorf("process %d: %w", p.pid, fs.ErrInvalid)
	}
	err := unix.PidfdSendSignal(p.pidfd, s, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

// kill ends the process at once and waits for its end.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	for {
		ended, err := p.ended(time.Second)
		if ended {
			p.reap()
		}
		if ended || err != nil {
			return err
		}
	}
}

// reap takes the exit status of a process that has ended. The second result is false if it is no child of ours, or
// another part of the program has waited for it.
func (p *process) reap() (syscall.WaitStatus, bool) {
	if unix.Waitid(unix.P_PIDFD, p.pidfd, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) != nil {
		return 0, false
	}
	return reapChild(p.pid)
}

func reapChild(pid int) (status syscall.WaitStatus, ok bool) {
	got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	return status, err == nil && got == pid
}

// find looks for the server of this folder among the processes: the one that was written down, or, if its starter was
// killed before it could do that, any that has our configuration and our lock. It is nil if there is none. What is
// returned has been checked after its descriptor was opened.
func (f serverFiles) find() (*process, error) {
	if r, ok := f.recorded(); ok {
		if p, err := f.open(r.PID, &r); p != nil || err != nil {
			return p, err
		}
	}
	found := map[int]bool{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && f.hasCommand(pid) {
			found[pid] = true
		}
	}
	for pid := range found {
		// dnsmasq has children for questions over TCP.
		if stat, err := readStat(pid); err != nil || found[stat.parent] {
			continue
		}
		if p, err := f.open(pid, nil); p != nil || err != nil {
			return p, err
		}
	}
	return nil, nil
}

// open opens a process if it is the server of this folder, and returns nil if it is not.
func (f serverFiles) open(pid int, r *processRecord) (*process, error) {
	if pid <= 1 || pid == os.Getpid() {
		return nil, nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("process descriptor: %w", err)
	}
	p := &process{pid: pid, pidfd: fd}
	if f.owns(pid, r) {
		return p, nil
	}
	p.close()
	return nil, nil
}

// owns checks that a process runs with exactly our configuration and has our lock open; where the descriptors of
// others cannot be seen, that it is the one of the record.
func (f serverFiles) owns(pid int, r *processRecord) bool {
	stat, err := readStat(pid)
	if err != nil || stat.dead() || r != nil && stat.start != r.Start || !f.hasCommand(pid) {
		return false
	}
	has, err := f.hasLock(pid)
	return has || err != nil && r != nil
}

func (f serverFiles) hasCommand(pid int) bool {
	data, err := os.ReadFile(procPath(pid, "cmdline"))
	if err != nil {
		return false
	}
	args := bytes.Split(bytes.TrimSuffix(data, []byte{0}), []byte{0})
	want := f.command("")
	return len(args) == len(want) && string(args[1]) == want[1] && string(args[2]) == want[2]
}

// hasLock looks for our lock among the descriptors of a process, also if its file has been removed. The error is that they
// cannot be seen: of a process that has changed its user, root may list them without the right to look at one (CAP_SYS_PTRACE).
func (f serverFiles) hasLock(pid int) (bool, error) {
	lock, lockErr := os.Lstat(f.path(logFile))
	entries, err := os.ReadDir(procPath(pid, "fd"))
	if err != nil {
		return false, err
	}
	removed := "/" + filepath.Base(string(f)) + "/" + logFile + " (deleted)"
	for _, e := range entries {
		path := procPath(pid, "fd", e.Name())
		if file, err := os.Stat(path); err == nil && lockErr == nil && os.SameFile(lock, file) {
			return true, nil
		}
		target, err := os.Readlink(path)
		if err == nil && strings.HasSuffix(target, removed) {
			return true, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			return false, err
		}
	}
	return false, nil
}

func procPath(pid int, rest ...string) string {
	return filepath.Join(append([]string{"/proc", strconv.Itoa(pid)}, rest...)...)
}

// record writes down which process answers.
func (f serverFiles) record(pid int, instance string, here bool) error {
	if err := f.prepareRecord(pid, instance, here); err != nil {
		return err
	}
	return f.put(processFile)
}

// prepareRecord is all of record but the last step, which makes it count.
func (f serverFiles) prepareRecord(pid int, instance string, here bool) error {
	stat, err := readStat(pid)
	if err != nil {
		return err
	}
	data, err := json.Marshal(processRecord{PID: pid, Start: stat.start, Instance: instance, Here: here})
	if err != nil {
		return err
	}
	return f.prepare(processFile, data, 0o600)
}

// recorded is which process answers, or has. One of ours can be the first of a container; a program of ours never is.
func (f serverFiles) recorded() (processRecord, bool) {
	var r processRecord
	data, err := trust.ReadFile(f.path(processFile))
	return r, err == nil && json.Unmarshal(data, &r) == nil && (r.PID > 1 || r.PID == 1 && r.Here)
}

// reap takes the exit status of a dead server that is a child of ours, so that it does not stay in the list of
// processes.
func (f serverFiles) reap() (syscall.WaitStatus, bool) {
	r, ok := f.recorded()
	if !ok {
		return 0, false
	}
	if stat, err := readStat(r.PID); err != nil || !stat.dead() || stat.start != r.Start {
		return 0, false
	}
	return reapChild(r.PID)
}

// A procStat is what /proc/PID/stat says.
type procStat struct {
	state  byte
	parent int
	start  uint64
}

// dead includes those that only wait to be reaped.
func (s procStat) dead() bool { return s.state == 'Z' || s.state == 'X' || s.state == 'x' }

func readStat(pid int) (procStat, error) {
	data, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return procStat{}, err
	}
	// The name in the second field may hold anything.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return procStat{}, fmt.Errorf("/proc/%d/stat: %w", pid, fs.ErrInvalid)
	}
	var s procStat
	s.state = fields[0][0]
	s.parent, _ = strconv.Atoi(fields[1])
	s.start, err = strconv.ParseUint(fields[19], 10, 64)
	return s, err
}
