// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lookAgain is how often servers are looked for that other processes have started.
	lookAgain = 2 * time.Second
	// maxLog is how long a log may become while it is supervised.
	maxLog = 1 << 20
)

// Supervise starts servers again that die, with the leases they had given out, until ctx ends; it then returns the cause
// of that. It looks after every server of the backend's folder and namespace, whoever started it, and can be called at
// any time by one goroutine or several. Servers that are ended by an operation stay down.
func (b *Backend) Supervise(ctx context.Context, s Supervision) error {
	w, err := b.servers.newWake()
	if err != nil {
		return err
	}
	defer b.servers.endWake(w)
	defer context.AfterFunc(ctx, w.call)()
	v := &supervisor{backend: b, Supervision: s.withDefaults(), watched: map[string]*watched{}}
	defer v.close()
	for ctx.Err() == nil {
		next, err := v.look(ctx)
		if err != nil {
			return err
		}
		if err := v.wait(w, next); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

type supervisor struct {
	Supervision
	backend *Backend
	watched map[string]*watched
}

// A watched server has a process while it is up. It is down from when that was told until it is up again; next is then
// the time of its next start, and otherwise when to look for its process again.
type watched struct {
	process  *process
	down     bool
	since    time.Time
	failures int
	next     time.Time
}

func (v *supervisor) close() {
	for name := range v.watched {
		v.forget(name)
	}
}

func (v *supervisor) forget(name string) {
	if p := v.watched[name].process; p != nil {
		p.close()
	}
	delete(v.watched, name)
}

// look goes through the servers, starts those whose time has come, and says when to look again.
func (v *supervisor) look(ctx context.Context) (time.Time, error) {
	names, err := v.backend.serverNames()
	if err != nil {
		return time.Time{}, err
	}
	next := time.Now().Add(lookAgain)
	there := map[string]bool{}
	for _, name := range names {
		w := v.watched[name]
		if w == nil {
			w = &watched{}
		}
		if !v.lookAt(ctx, name, w) {
			continue
		}
		there[name], v.watched[name] = true, w
		if w.process == nil && w.next.Before(next) {
			next = w.next
		}
	}
	for name := range v.watched {
		if !there[name] {
			v.forget(name)
		}
	}
	return next, nil
}

// lookAt looks after one server, and reports whether it is to be watched.
func (v *supervisor) lookAt(ctx context.Context, name string, w *watched) bool {
	files := v.backend.serverFiles(name)
	if w.process != nil {
		if ended, err := w.process.ended(0); err != nil || !ended {
			files.shortenLog()
			return err == nil
		}
		v.died(files, name, w)
	}
	record, ok := files.recorded()
	if !ok || record.Instance != v.backend.instance || files.ending() {
		return false
	}
	locked, err := files.locked()
	if err != nil {
		return false
	}
	if locked && record.Here {
		*w = watched{failures: w.failures, next: time.Now().Add(lookAgain)} // it ends with its process, and then the lock is free
		return true
	}
	if locked {
		if p, err := files.find(); err == nil && p != nil {
			*w = watched{process: p, since: time.Now(), failures: w.failures}
		} else {
			// Another is about to start it or to end it, or it is just dying.
			w.next = time.Now().Add(v.FirstDelay)
		}
		return true
	}
	if !w.down {
		v.died(files, name, w)
	}
	if !w.down {
		return false // It has been ended in between.
	}
	if ctx.Err() == nil && !time.Now().Before(w.next) {
		v.restart(ctx, files, name, w)
	}
	return true
}

// died notes that a server is gone, and tells about it unless it has been ended on purpose.
func (v *supervisor) died(files serverFiles, name string, w *watched) {
	status, known := files.reap()
	if w.process != nil {
		w.process.close()
		w.process = nil
		if time.Since(w.since) >= v.Stable {
			w.failures = 0
		}
	}
	if _, err := os.Lstat(files.path(processFile)); err != nil || files.ending() {
		return
	}
	why := errors.New("dnsmasq has ended")
	if known {
		why = fmt.Errorf("dnsmasq: %s", statusWords(status))
	}
	v.retry(name, w, why)
}

// retry plans the next start.
func (v *supervisor) retry(name string, w *watched, why error) {
	w.down = true
	w.failures++
	delay := v.delay(w.failures)
	w.next = time.Now().Add(delay)
	v.Event(ServerEvent{Name: name, Err: why, Retry: delay})
}

func (v *supervisor) restart(ctx context.Context, files serverFiles, name string, w *watched) {
	err := v.backend.restart(ctx, files)
	switch {
	case err == nil:
		w.down, w.next = false, time.Time{}
		if p, _ := files.find(); p != nil {
			w.process, w.since = p, time.Now()
		}
		v.Event(ServerEvent{Name: name, Up: true})
	case errors.Is(err, errServerRuns), errors.Is(err, fs.ErrNotExist) && !files.exist():
		// Another was faster, or has ended it: the next look tells.
	case ctx.Err() != nil:
	default:
		v.retry(name, w, err)
	}
}

// restart starts a server that has died again from its files, which stay if that fails.
func (b *Backend) restart(ctx context.Context, files serverFiles) error {
	launch, err := b.launcher()
	if err != nil {
		return err
	}
	lock, err := files.lock(false)
	if err != nil {
		return err
	}
	done := unlock
	defer func() { done(lock) }()
	server, ok := files.server()
	if _, here := files.isHere(); here {
		server, ok = files.document()
	}
	if !ok || files.ending() {
		return fmt.Errorf("the files of the server are not as they were written: %w", fs.ErrInvalid)
	}
	leases, err := files.readLeases()
	if err != nil && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	if err := launch(ctx, files, lock, server, leases); err != nil {
		return err
	}
	// The program has it now.
	done = func(lock *os.File) { lock.Close() }
	b.servers.wakeAll()
	return nil
}

func (f serverFiles) ending() bool {
	_, err := os.Lstat(f.path(endingFile))
	return err == nil
}

func (f serverFiles) exist() bool {
	_, err := os.Lstat(string(f))
	return err == nil
}

// shortenLog empties a log that has become long. The server writes at its end, wherever that is.
func (f serverFiles) shortenLog() {
	log, err := f.openLog(os.O_WRONLY)
	if err != nil {
		return
	}
	defer log.Close()
	if stat, err := log.Stat(); err == nil && stat.Size() > maxLog {
		_ = log.Truncate(0)
	}
}

// wait waits until a process ends, somebody calls, or it is time.
func (v *supervisor) wait(w *wake, next time.Time) error {
	fds := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
	for _, w := range v.watched {
		if w.process != nil {
			fds = append(fds, unix.PollFd{Fd: int32(w.process.pidfd), Events: unix.POLLIN})
		}
	}
	timeout := unix.NsecToTimespec(max(0, time.Until(next)).Nanoseconds())
	_, err := unix.Ppoll(fds, &timeout, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return os.NewSyscallError("ppoll", err)
	}
	w.answer()
	return nil
}
