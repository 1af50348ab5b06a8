// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Two goroutines hand a token to and fro; it counts how often. Returns it, and
// whether somebody got another than its next one.

func playChan(n int) (token int, wrong bool, took time.Duration) {
	var to [2]chan int
	var wrongs [2]bool
	var ended sync.WaitGroup
	for i := range to {
		to[i] = make(chan int)
	}
	ended.Add(2)
	start := time.Now()
	go func() {
		defer ended.Done()
		t := 0
		for i := 0; i < n; i++ {
			to[1] <- t + 1
			t = <-to[0]
			wrongs[0] = wrongs[0] || t != 2*i+2
		}
		token = t
	}()
	go func() {
		defer ended.Done()
		for i := 0; i < n; i++ {
			t := <-to[1]
			wrongs[1] = wrongs[1] || t != 2*i+1
			to[0] <- t + 1
		}
	}()
	ended.Wait()
	return token, wrongs[0] || wrongs[1], time.Since(start)
}

func playCond(n int) (token int, wrong bool, took time.Duration) {
	var mutex sync.Mutex
	var wrongs [2]bool
	var ended sync.WaitGroup
	cond := sync.NewCond(&mutex)
	ended.Add(2)
	start := time.Now()
	for me := 0; me < 2; me++ {
		go func(me int) {
			defer ended.Done()
			for i := 0; i < n; i++ {
				mutex.Lock()
				for token&1 != me {
					cond.Wait()
				}
				wrongs[me] = wrongs[me] || token != 2*i+me
				token++
				cond.Signal()
				mutex.Unlock()
			}
		}(me)
	}
	ended.Wait()
	return token, wrongs[0] || wrongs[1], time.Since(start)
}

func measurePingpong(m *measurement) error {
	play := playChan
	if m.name == "cond" {
		play = playCond
	}
	// no goroutine can be kept on a worker but with a pthread of its own
	m.param("n=%d", m.n)
	over := int32(0)
	if m.workers > 1 {
		m.param("yielders=2 placement=runtime")
		for i := 0; i < 2; i++ {
			go func() {
				for atomic.LoadInt32(&over) == 0 {
					runtime.Gosched()
				}
			}()
		}
	}
	play(m.n/10 + 1)
	token, wrong, took := play(m.n)
	atomic.StoreInt32(&over, 1)
	if lying {
		token--
	}
	if wrong {
		m.wrong("a token came out of turn")
	}
	if token != 2*m.n {
		m.wrong("handed over %d times, not %d", token, 2*m.n)
	}
	m.emit("ns_per_round_trip", "ns", "lower", float64(took)/float64(m.n))
	return nil
}

const lockers = 64

// The same as the looks of the other backends (waits.h).
const locksPerLook = 64

func lockAll(each int, look bool) (count int, longest, took time.Duration) {
	var mutex sync.Mutex
	var waits [lockers]time.Duration
	var ended sync.WaitGroup
	ended.Add(lockers)
	start := time.Now()
	for i := 0; i < lockers; i++ {
		go func(wait *time.Duration) {
			defer ended.Done()
			if !look {
				for i := 0; i < each; i++ {
					mutex.Lock()
					count++
					mutex.Unlock()
				}
				return
			}
			for i := 0; i < each; i++ {
				var asked time.Time
				if i%locksPerLook == 0 {
					asked = time.Now()
				}
				mutex.Lock()
				if i%locksPerLook == 0 {
					if waited := time.Since(asked); waited > *wait {
						*wait = waited
					}
				}
				count++
				mutex.Unlock()
			}
		}(&waits[i])
	}
	ended.Wait()
	took = time.Since(start)
	for _, wait := range waits {
		if wait > longest {
			longest = wait
		}
	}
	if lying {
		count--
	}
	return
}

func measureMutex(m *measurement) error {
	each := m.n / lockers
	m.param("threads=%d n=%d", lockers, each*lockers)
	lockAll(each/16+1, true)
	count, _, took := lockAll(each, false)
	timedCount, longest, _ := lockAll(each/4, true)
	if count != each*lockers {
		m.wrong("counted %d under the mutex, not %d", count, each*lockers)
	}
	if timedCount != each/4*lockers {
		m.wrong("counted %d under the mutex, not %d", timedCount, each/4*lockers)
	}
	m.emit("ns_per_lock", "ns", "lower", float64(took)/float64(each*lockers))
	m.emit("longest_wait_ns", "ns", "lower", float64(longest))
	return nil
}
