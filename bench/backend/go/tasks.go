// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

// A goroutine and a channel for each fork.
func fib(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	c := make(chan uint64, 1)
	go func() { c <- fib(n - 1) }()
	b := fib(n - 2)
	return <-c + b
}

func fibNumber(n int) uint64 {
	var a, b uint64 = 0, 1
	for ; n > 0; n-- {
		a, b = b, a+b
	}
	return a
}

func measureFib(m *measurement) error {
	n := m.n
	if m.nSlow != 0 {
		n = m.nSlow
	}
	forks := float64(fibNumber(n+1)) - 1
	m.param("n=%d forks=%.0f form=threads by=goroutine-and-channel", n, forks)
	ns := timed(func() {
		got := fib(n)
		if lying {
			got--
		}
		if got != fibNumber(n) {
			m.wrong("fib(%d) is %d, not %d", n, got, fibNumber(n))
		}
	})
	m.emit("ns_per_fork", "ns", "lower", ns/forks)
	m.emit("mforks_per_s", "10^6/s", "higher", forks*1e3/ns)
	return nil
}

// Solutions by n, as published (OEIS A000170).
var solutions = []uint64{1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712, 365596, 2279184, 14772512}

// A goroutine for each safe placement.
func place(all, columns, left, right uint32) uint64 {
	if columns == all {
		return 1
	}
	safe := all &^ (columns | left | right)
	below := make([]uint64, bits.OnesCount32(safe))
	var children sync.WaitGroup
	children.Add(len(below))
	for i := range below {
		square := safe & -safe
		safe &= safe - 1
		result := &below[i]
		go func() {
			*result = place(all, columns|square, (left|square)<<1, (right|square)>>1)
			children.Done()
		}()
	}
	children.Wait()
	var count uint64
	for _, c := range below {
		count += c
	}
	return count
}

func countPlacements(all, columns, left, right uint32) uint64 {
	var count uint64
	for safe := all &^ (columns | left | right); safe != 0; safe &= safe - 1 {
		square := safe & -safe
		count += 1 + countPlacements(all, columns|square, (left|square)<<1, (right|square)>>1)
	}
	return count
}

func measureQueens(m *measurement) error {
	all := uint32(1)<<m.n - 1
	nodes := float64(countPlacements(all, 0, 0, 0))
	m.param("n=%d solutions=%d nodes=%.0f form=threads by=goroutines", m.n, solutions[m.n], nodes)
	ns := timed(func() {
		got := place(all, 0, 0, 0)
		if lying {
			got++
		}
		if got != solutions[m.n] {
			m.wrong("%d solutions, not %d", got, solutions[m.n])
		}
	})
	m.emit("ns_per_node", "ns", "lower", ns/nodes)
	m.emit("mnodes_per_s", "10^6/s", "higher", nodes*1e3/ns)
	return nil
}

func measureFlat(m *measurement) error {
	n := m.n
	result := make([]int, n)
	m.param("n=%d form=threads by=goroutines", n)
	ns := timed(func() {
		var ended sync.WaitGroup
		ended.Add(n)
		for i := 0; i < n; i++ {
			go func(i int) {
				result[i] = i + 1
				ended.Done()
			}(i)
		}
		ended.Wait()
		right := 0
		for i := range result {
			if result[i] == i+1 {
				right++
			}
			result[i] = 0
		}
		if lying {
			right--
		}
		if right != n {
			m.wrong("%d of %d threads gave the right result", right, n)
		}
	})
	m.emit("ns_per_thread", "ns", "lower", ns/float64(n))
	m.emit("mthreads_per_s", "10^6/s", "higher", float64(n)*1e3/ns)
	return nil
}

// On one worker, so plain words will do. Not every turn is the other's: each
// 61st time Go looks first where the one that yielded has gone. Returns how
// often they switched; 0: something was wrong.
func yieldPair(n int) (switches int, took time.Duration) {
	var turns [2]int
	var ended sync.WaitGroup
	last := -1
	start := time.Now()
	for me := 0; me < 2; me++ {
		ended.Add(1)
		go func(me int) {
			defer ended.Done()
			for turns[me] < n/2 {
				turns[me]++
				if last != me {
					switches++
				}
				last = me
				runtime.Gosched()
			}
		}(me)
	}
	ended.Wait()
	took = time.Since(start)
	if lying {
		turns[0]--
	}
	if turns[0] != n/2 || turns[1] != n/2 || switches < n/10*9 {
		switches = 0
	}
	return
}

func measureYield(m *measurement) error {
	m.param("n=%d by=Gosched", m.n)
	yieldPair(m.n / 10)
	switches, took := yieldPair(m.n)
	if switches == 0 {
		m.wrong("the two did not take turns")
		switches = m.n
	}
	m.emit("ns_per_switch", "ns", "lower", float64(took)/float64(switches))
	return nil
}

// Bytes: resident, and of page tables.
func readMemory() (rss, pte float64, err error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return
	}
	defer f.Close()
	found := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		for name, to := range map[string]*float64{"VmRSS:": &rss, "VmPTE:": &pte} {
			if strings.HasPrefix(lines.Text(), name) {
				fmt.Sscanf(lines.Text()[len(name):], "%f", to)
				*to *= 1024
				found++
			}
		}
	}
	if found != 2 {
		err = fmt.Errorf("/proc/self/status lacks VmRSS or VmPTE")
	}
	return
}

// Less than before counts as nothing.
func perThread(before, peak float64, n int) float64 {
	if peak < before {
		return 0
	}
	return (peak - before) / float64(n)
}

func measureMem(m *measurement) error {
	n := m.n
	result := make([]int, n)
	for i := range result {
		result[i] = -1 // touched before anything is counted
	}
	gate := make(chan struct{})
	arrived := 0
	var ended sync.WaitGroup
	ended.Add(n)
	rss, pte, err := readMemory()
	if err != nil {
		return err
	}
	start := time.Now()
	for i := 0; i < n; i++ {
		go func(i int) {
			arrived++ // one worker
			<-gate
			result[i] = i + 1
			ended.Done()
		}(i)
	}
	for arrived < n {
		runtime.Gosched()
	}
	ns := float64(time.Since(start))
	rssPeak, ptePeak, err := readMemory()
	if err != nil {
		return err
	}
	start = time.Now()
	close(gate)
	ended.Wait()
	release := float64(time.Since(start))
	right := 0
	for i := range result {
		if result[i] == i+1 {
			right++
		}
	}
	if lying {
		right--
	}
	m.param("parked=%d", n)
	if right != n {
		m.wrong("%d of %d threads did what they should", right, n)
	}
	rss, pte = perThread(rss, rssPeak, n), perThread(pte, ptePeak, n)
	m.emit("ns_per_thread", "ns", "lower", ns/float64(n))
	m.emit("release_ns_per_thread", "ns", "lower", release/float64(n))
	m.emit("bytes_per_thread", "B", "lower", rss+pte)
	m.emit("rss_bytes_per_thread", "B", "lower", rss)
	m.emit("pte_bytes_per_thread", "B", "lower", pte)
	return nil
}
