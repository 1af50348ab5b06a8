// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"time"
)

// As struct ticker in bench/workload/periodic.h.
type ticker struct {
	armed, last time.Time
	longest     time.Duration
	calls       int
	early       int
}

func (t *ticker) call(begin, end time.Time, period time.Duration) {
	now := time.Now()
	if now.After(end) || now.Before(begin) {
		return
	}
	if t.last.IsZero() {
		t.last = begin
	}
	if gap := now.Sub(t.last); gap > t.longest {
		t.longest = gap
	}
	t.last = now
	t.calls++
	if now.Sub(t.armed) < time.Duration(t.calls)*period {
		t.early++
	}
}

// A time.Ticker each, and a goroutine that takes its ticks.
func measurePeriodic(m *measurement) {
	const period = time.Millisecond
	length := 3 * time.Second
	if m.size == "small" {
		length /= 6
	}
	tickers := make([]ticker, m.n)
	var begin, end time.Time
	var ended sync.WaitGroup
	ended.Add(m.n)
	all, stop := make(chan struct{}), make(chan struct{})
	for i := range tickers {
		go func(t *ticker) {
			t.armed = time.Now()
			ticks := time.NewTicker(period)
			defer ended.Done()
			defer ticks.Stop()
			<-all
			for {
				select {
				case <-ticks.C:
					t.call(begin, end, period)
				case <-stop:
					return
				}
			}
		}(&tickers[i])
	}
	begin = time.Now()
	end = begin.Add(length)
	close(all)
	time.Sleep(length)
	close(stop)
	ended.Wait()
	if lying {
		tickers[0] = ticker{}
	}
	calls, early, never := 0, 0, 0
	var longest time.Duration
	for i := range tickers {
		t := &tickers[i]
		since := t.last
		if since.IsZero() {
			since = begin
		}
		for _, gap := range []time.Duration{t.longest, end.Sub(since)} {
			if gap > longest {
				longest = gap
			}
		}
		calls += t.calls
		early += t.early
		if t.calls == 0 {
			never++
		}
	}
	m.param("timers=%d period=1ms seconds=%g by=Ticker", m.n, length.Seconds())
	if never > 0 || early > 0 {
		m.wrong("%d of %d timers were never called, %d calls came early", never, m.n, early)
	}
	percent := 100 * float64(calls) / (float64(m.n) * float64(length/period))
	if percent > 100 {
		percent = 100
	}
	m.emit("percent_delivered", "%", "higher", percent)
	m.emit("longest_gap_ms", "ms", "lower", float64(longest)/1e6)
}
