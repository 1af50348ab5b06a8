// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The same steps as bench/workload/block.c.
const (
	factor     = uint64(6364136223846793005)
	addend     = uint64(1442695040888963407)
	stepsATurn = 65536
)

//go:noinline
func steps(x uint64, n int) uint64 {
	for ; n > 0; n-- {
		x = x*factor + addend
	}
	return x
}

// Without taking them: n steps are one, with other constants.
func stepsLeadTo(x uint64, n int) uint64 {
	f, a := factor, addend
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			x = x*f + a
		}
		a += a * f
		f *= f
	}
	return x
}

func measureBlock(m *measurement) error {
	switch {
	case strings.HasPrefix(m.name, "handoff"):
		return measureBaton(m)
	case m.name == "loops":
		return measureLoops(m)
	}
	return measureReaders(m)
}

// The pipe is not the runtime's: a read of it blocks in the kernel. The runtime
// marks each system call itself.
func measureBaton(m *measurement) error {
	const pause = 10 * time.Millisecond
	type round struct {
		number int32
		since  time.Time
	}
	var pipe [2]int
	if err := oneCPU(); err != nil {
		return err
	}
	if err := syscall.Pipe(pipe[:]); err != nil {
		return err
	}
	latency := make([]time.Duration, m.n)
	state, right := uint64(1), 0
	var now round
	for i := range latency {
		end := time.Now().Add(time.Duration(random(&state) % uint64(pause)))
		for time.Now().Before(end) {
			steps(1, stepsATurn/16)
			runtime.Gosched()
		}
		done := make(chan bool)
		go func() {
			for atomic.LoadInt32(&now.number) <= int32(i) {
				runtime.Gosched()
			}
			latency[i] = time.Since(now.since)
			n, err := syscall.Write(pipe[1], []byte{byte(i + 1)})
			done <- n == 1 && err == nil
		}()
		now.since = time.Now()
		atomic.StoreInt32(&now.number, int32(i+1))
		got := []byte{0}
		n, err := syscall.Read(pipe[0], got)
		if <-done && err == nil && n == 1 && got[0] == byte(i+1) {
			right++
		}
	}
	if lying {
		right--
	}
	m.param("n=%d pause=0-10ms by=syscall.Read", m.n)
	sortTimes(latency)
	if right != m.n || latency[0] <= 0 {
		m.wrong("in %d of %d rounds the two met as they should", right, m.n)
	}
	m.emit("p50_handoff_us", "us", "lower", percentile(latency, 50)/1e3)
	m.emit("p99_handoff_us", "us", "lower", percentile(latency, 99)/1e3)
	return nil
}

// Goroutines that compute a fixed amount and yield now and then; begin is called
// when they are about to be made.
func compute(m *measurement, goroutines, turns int, begin func() error) (time.Duration, error) {
	var ended sync.WaitGroup
	result := make([]uint64, goroutines)
	start := time.Now()
	if err := begin(); err != nil {
		return 0, err
	}
	ended.Add(goroutines)
	for i := range result {
		go func(i int) {
			x := uint64(i)
			for turn := 0; turn < turns; turn++ {
				x = steps(x, stepsATurn)
				runtime.Gosched()
			}
			result[i] = x
			ended.Done()
		}(i)
	}
	ended.Wait()
	took := time.Since(start)
	if lying && m.name == "loops" {
		result[0]++
	}
	for i, x := range result {
		if x != stepsLeadTo(uint64(i), turns*stepsATurn) {
			m.wrong("thread %d of those that compute did not come to what it should", i)
			break
		}
	}
	return took, nil
}

func nothing() error { return nil }

// As many as there are descriptors for, but for some that the runtime may need.
func openPipes(asked int) ([][2]int, error) {
	const left = 64
	var limit syscall.Rlimit
	want := uint64(2*asked + left)
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur < want {
		limit.Cur = limit.Max
		if limit.Cur > want {
			limit.Cur = want
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return nil, err
		}
		if limit.Cur < want {
			asked = int(limit.Cur-left) / 2
		}
	}
	pipes := make([][2]int, asked)
	for i := range pipes {
		if err := syscall.Pipe(pipes[i][:]); err != nil {
			return nil, fmt.Errorf("pipe %d: %w", i, err)
		}
	}
	return pipes, nil
}

func measureReaders(m *measurement) error {
	const computing = 100
	turns := map[string]int{"small": 10, "medium": 256, "large": 1024}[m.size]
	pipes, err := openPipes(m.n)
	if err != nil {
		return err
	}
	m.param("readers=%d computing=%d steps=%d", len(pipes), computing, turns*stepsATurn)
	if len(pipes) < m.n {
		m.param("asked=%d", m.n)
	}
	m.param("by=syscall.Read")
	alone, err := compute(m, computing, turns, nothing)
	if err != nil {
		return err
	}
	var entered, returned, right int32
	var ended sync.WaitGroup
	ended.Add(len(pipes))
	beside, err := compute(m, computing, turns, func() error {
		for i := range pipes {
			go func(i int) {
				got := []byte{0}
				atomic.AddInt32(&entered, 1)
				n, err := syscall.Read(pipes[i][0], got)
				atomic.AddInt32(&returned, 1)
				if err == nil && n == 1 && got[0] == byte(i+1) {
					atomic.AddInt32(&right, 1)
				}
				ended.Done()
			}(i)
		}
		return nil
	})
	if err != nil {
		return err
	}
	early := atomic.LoadInt32(&returned)
	blocked := atomic.LoadInt32(&entered) - early
	for i := range pipes {
		if _, err := syscall.Write(pipes[i][1], []byte{byte(i + 1)}); err != nil {
			return err
		}
	}
	ended.Wait()
	if lying {
		right--
	}
	if int(right) != len(pipes) || early != 0 {
		m.wrong("%d of %d read what was for them, %d before it was written", right, len(pipes), early)
	}
	m.emit("ms_beside", "ms", "lower", float64(beside)/1e6)
	m.emit("x_alone", "x", "lower", float64(beside)/float64(alone))
	m.emit("blocked", "1", "higher", float64(blocked))
	return nil
}

// One on each processor, as far as there is a CPU for it.
func loopsFor(workers int) int {
	if cpus := runtime.NumCPU(); cpus < workers {
		return cpus
	}
	return workers
}

func measureLoops(m *measurement) error {
	const computing = 8
	type loop struct {
		turns, before uint64
		_             [240]byte
	}
	loops := make([]loop, loopsFor(m.workers))
	if len(loops) == 1 && runtime.NumCPU() > 1 {
		// or the kernel may give the loop one CPU, and the others another
		if err := oneCPU(); err != nil {
			return err
		}
	}
	m.param("loops=%d computing=%d steps=%d", len(loops), computing, m.n*stepsATurn)
	alone, err := compute(m, computing, m.n, nothing)
	if err != nil {
		return err
	}
	var over int32
	var ended sync.WaitGroup
	ended.Add(len(loops))
	for i := range loops {
		go func(l *loop) {
			for atomic.LoadInt32(&over) == 0 {
				atomic.StoreUint64(&l.turns, l.turns+1)
			}
			ended.Done()
		}(&loops[i])
	}
	for i := range loops {
		for atomic.LoadUint64(&loops[i].turns) == 0 {
			runtime.Gosched()
		}
	}
	beside, err := compute(m, computing, m.n, func() error {
		for i := range loops {
			loops[i].before = atomic.LoadUint64(&loops[i].turns)
		}
		return nil
	})
	if err != nil {
		return err
	}
	wentOn := 0
	for i := range loops {
		// on a busy machine the others may have ended before it got its share
		for try := 0; try < 1000 && atomic.LoadUint64(&loops[i].turns) == loops[i].before; try++ {
			time.Sleep(2 * time.Millisecond)
		}
		if atomic.LoadUint64(&loops[i].turns) > loops[i].before {
			wentOn++
		}
	}
	atomic.StoreInt32(&over, 1)
	ended.Wait()
	if wentOn != len(loops) {
		m.wrong("%d of %d loops went on beside the others", wentOn, len(loops))
	}
	m.emit("ms_beside", "ms", "lower", float64(beside)/1e6)
	m.emit("percent_share", "%", "higher", 100*float64(alone)/float64(beside))
	return nil
}
