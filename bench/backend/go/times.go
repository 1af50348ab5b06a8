// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

func percentile(sorted []time.Duration, p int) float64 {
	return float64(sorted[(len(sorted)*p+99)/100-1])
}

// splitmix64, as bench/workload/random.h.
func random(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	x := *state
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func armAndCancel(n int) (arm, cancel time.Duration, cancelled int, fired int32) {
	timers := make([]*time.Timer, n)
	state := uint64(1)
	fire := func() { atomic.AddInt32(&fired, 1) }
	start := time.Now()
	for i := range timers {
		timers[i] = time.AfterFunc(time.Hour+time.Duration(random(&state)%uint64(time.Hour)), fire)
	}
	arm = time.Since(start)
	start = time.Now()
	for _, t := range timers {
		if t.Stop() {
			cancelled++
		}
	}
	cancel = time.Since(start)
	if lying {
		cancelled--
	}
	return
}

func measureTimers(m *measurement) error {
	if strings.HasPrefix(m.name, "periodic") {
		measurePeriodic(m)
		return nil
	}
	if m.name == "sleep-1ms" {
		measureSleep(m)
		return nil
	}
	m.param("n=%d due=1h-2h by=AfterFunc", m.n)
	armAndCancel(m.n/10 + 1)
	arm, cancel, cancelled, fired := armAndCancel(m.n)
	if cancelled != m.n || fired != 0 {
		m.wrong("of %d timers %d were cancelled, %d fired", m.n, cancelled, fired)
	}
	m.emit("ns_per_arm", "ns", "lower", float64(arm)/float64(m.n))
	m.emit("ns_per_cancel", "ns", "lower", float64(cancel)/float64(m.n))
	return nil
}

func sortTimes(t []time.Duration) {
	sort.Slice(t, func(i, j int) bool { return t[i] < t[j] })
}

func measureSleep(m *measurement) {
	late := make([]time.Duration, m.n)
	m.param("n=%d", m.n)
	for i := range late {
		start := time.Now()
		time.Sleep(time.Millisecond)
		late[i] = time.Since(start) - time.Millisecond
	}
	if lying {
		late[0] = -1
	}
	sortTimes(late)
	if late[0] < 0 {
		m.wrong("a sleep ended %d ns early", -late[0])
	}
	m.emit("p50_late_us", "us", "lower", percentile(late, 50)/1e3)
	m.emit("p99_late_us", "us", "lower", percentile(late, 99)/1e3)
}

func measureWake(m *measurement) error {
	if m.name == "idle-10k" {
		return measureIdle(m)
	}
	return measureWaking(m)
}

// The whole process onto one CPU, as the others have it with one worker; new
// pthreads come from those that there are.
func oneCPU() error {
	var mask [128]uint64
	if _, _, e := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask),
		uintptr(unsafe.Pointer(&mask))); e != 0 {
		return e
	}
	found := false
	for i := range mask {
		if found {
			mask[i] = 0
		} else if mask[i] != 0 {
			mask[i] &= -mask[i]
			found = true
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if _, _, e := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(id), unsafe.Sizeof(mask),
			uintptr(unsafe.Pointer(&mask))); e != 0 {
			return e
		}
	}
	return nil
}

// From outside: a goroutine with a pthread of its own, by a channel with room,
// so that it does not wait itself.
func measureWaking(m *measurement) error {
	type sent struct {
		turn int
		at   time.Time
	}
	if m.workers == 1 {
		if err := oneCPU(); err != nil {
			return err
		}
	}
	bell := make(chan sent, 1)
	seen := make(chan bool, 1)
	latency := make([]time.Duration, m.n)
	go func() {
		for i := range latency {
			s := <-bell
			latency[i] = time.Since(s.at)
			seen <- s.turn == i
		}
	}()
	runtime.LockOSThread()
	right := 0
	for i := range latency {
		time.Sleep(time.Millisecond)
		bell <- sent{i, time.Now()}
		if <-seen {
			right++
		}
	}
	runtime.UnlockOSThread()
	if lying {
		right--
	}
	m.param("n=%d pause=1ms by=channel-from-locked-goroutine", m.n)
	sortTimes(latency)
	if right != m.n || latency[0] <= 0 {
		m.wrong("%d of %d wakes came when they should", right, m.n)
	}
	m.emit("p50_wake_ns", "ns", "lower", percentile(latency, 50))
	m.emit("p99_wake_ns", "ns", "lower", percentile(latency, 99))
	return nil
}

func processCPU() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

func measureIdle(m *measurement) error {
	const settle = 200 * time.Millisecond
	seconds := 10
	if m.size == "small" {
		seconds = 1
	}
	gate := make(chan struct{})
	result := make([]int, m.n)
	var arrived, ended sync.WaitGroup
	arrived.Add(m.n)
	ended.Add(m.n)
	for i := range result {
		go func(i int) {
			arrived.Done()
			<-gate
			result[i] = i + 1
			ended.Done()
		}(i)
	}
	arrived.Wait()
	time.Sleep(settle)
	start := time.Now()
	before, err := processCPU()
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(seconds) * time.Second)
	after, err := processCPU()
	if err != nil {
		return err
	}
	took := time.Since(start)
	close(gate)
	ended.Wait()
	right := 0
	for i := range result {
		if result[i] == i+1 {
			right++
		}
	}
	if lying {
		right--
	}
	m.param("parked=%d seconds=%d by=channel", m.n, seconds)
	if right != m.n {
		m.wrong("%d of %d threads did what they should", right, m.n)
	}
	m.emit("cpu_percent", "%", "lower", 100*float64(after-before)/float64(took))
	return nil
}
