// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"strconv"
	"sync"
	"time"
)

type burstThread struct{ begun, back int }

// So many goroutines, each of which yields once; again and again.
func burst(threads []burstThread, bursts int) time.Duration {
	start := time.Now()
	for ; bursts > 0; bursts-- {
		var ended sync.WaitGroup
		ended.Add(len(threads))
		for i := range threads {
			go func(me *burstThread) {
				me.begun++
				runtime.Gosched()
				me.back++
				ended.Done()
			}(&threads[i])
		}
		ended.Wait()
	}
	return time.Since(start)
}

func measureBurst(m *measurement) error {
	atOnce, err := strconv.Atoi(m.name)
	if err != nil {
		return err
	}
	bursts := m.n / atOnce
	m.param("at_once=%d threads=%d", atOnce, bursts*atOnce)
	burst(make([]burstThread, atOnce), bursts/10+1)
	threads := make([]burstThread, atOnce)
	took := burst(threads, bursts)
	if lying {
		threads[0].back--
	}
	begun, back := 0, 0
	for _, t := range threads {
		begun += t.begun
		back += t.back
	}
	if begun != bursts*atOnce || back != begun {
		m.wrong("of %d threads %d began, %d came back from their yield", bursts*atOnce, begun, back)
	}
	m.emit("ns_per_thread", "ns", "lower", float64(took)/float64(bursts*atOnce))
	return nil
}
