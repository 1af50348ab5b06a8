// SPDX-License-Identifier: MIT

package main

import (
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Messages as in bench/workload/messages.h: who sent it, and as which.
const (
	producersMost = 64
	producerShift = 56
)

func message(producer int, number uint64) uint64 {
	return uint64(producer)<<producerShift | number
}

type taken struct {
	last       [producersMost]uint64
	count, sum uint64
	disordered bool
}

func (t *taken) take(message uint64) {
	producer := message >> producerShift & (producersMost - 1)
	if message <= t.last[producer] {
		t.disordered = true
	}
	t.last[producer] = message
	t.sum += message
	t.count++
}

func (t *taken) add(other *taken) {
	t.count += other.count
	t.sum += other.sum
	t.disordered = t.disordered || other.disordered
}

// One message is lost; or it is, and another doubled; or two change places.
func (t *taken) lie(capacity, producers int) {
	switch {
	case capacity == 0 && producers < 8:
		t.count--
	case capacity != 0 && producers == 1 || producers == 8:
		t.sum++
	default:
		t.disordered = true
	}
}

func (m *measurement) traffic(producers, consumers, capacity, each int, carry func(each int) (*taken, time.Duration)) {
	n := uint64(producers) * uint64(each)
	m.param("n=%d producers=%d consumers=%d capacity=%d", n, producers, consumers, capacity)
	carry(each/10 + 1)
	got, took := carry(each)
	if lying {
		got.lie(capacity, producers)
	}
	var sum uint64
	for p := 0; p < producers; p++ {
		sum += uint64(each)*uint64(each+1)/2 + uint64(each)*message(p, 0)
	}
	if got.count != n {
		m.wrong("%d messages arrived, not %d", got.count, n)
	} else if got.sum != sum {
		m.wrong("the messages are not those that were sent")
	}
	if got.disordered {
		m.wrong("messages came out of order, or at another channel")
	}
	m.emit("ns_per_message", "ns", "lower", float64(took)/float64(n))
}

func produce(c chan<- uint64, me, each int) {
	for i := 1; i <= each; i++ {
		c <- message(me, uint64(i))
	}
}

func measureChan(m *measurement) error {
	producers, consumers, capacity := 1, 1, 128
	switch m.name {
	case "unbuffered":
		capacity = 0
	case "mpmc-4x4":
		producers, consumers = 4, 4
	}
	m.traffic(producers, consumers, capacity, m.n/producers, func(each int) (*taken, time.Duration) {
		c := make(chan uint64, capacity)
		senders := int32(producers)
		all := make([]taken, consumers)
		var ended sync.WaitGroup
		ended.Add(consumers)
		start := time.Now()
		for i := range all {
			go func(t *taken) {
				defer ended.Done()
				for message := range c {
					t.take(message)
				}
			}(&all[i])
		}
		for i := 0; i < producers; i++ {
			go func(me int) {
				produce(c, me, each)
				if atomic.AddInt32(&senders, -1) == 0 {
					close(c)
				}
			}(i)
		}
		ended.Wait()
		took := time.Since(start)
		for i := range all[1:] {
			all[0].add(&all[i+1])
		}
		return &all[0], took
	})
	return nil
}

// A message that came out at channel `at`.
func (t *taken) takeAt(at int, message uint64) {
	if message>>producerShift != uint64(at) {
		t.disordered = true
		return
	}
	t.take(message)
}

func select2(c []chan uint64, total int, t *taken) {
	c0, c1 := c[0], c[1]
	for i := 0; i < total; i++ {
		select {
		case v := <-c0:
			t.takeAt(0, v)
		case v := <-c1:
			t.takeAt(1, v)
		}
	}
}

func select8(c []chan uint64, total int, t *taken) {
	c0, c1, c2, c3, c4, c5, c6, c7 := c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
	for i := 0; i < total; i++ {
		select {
		case v := <-c0:
			t.takeAt(0, v)
		case v := <-c1:
			t.takeAt(1, v)
		case v := <-c2:
			t.takeAt(2, v)
		case v := <-c3:
			t.takeAt(3, v)
		case v := <-c4:
			t.takeAt(4, v)
		case v := <-c5:
			t.takeAt(5, v)
		case v := <-c6:
			t.takeAt(6, v)
		case v := <-c7:
			t.takeAt(7, v)
		}
	}
}

func selectMany(c []chan uint64, total int, t *taken) {
	cases := make([]reflect.SelectCase, len(c))
	for i := range cases {
		cases[i] = reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c[i])}
	}
	for i := 0; i < total; i++ {
		at, v, _ := reflect.Select(cases)
		t.takeAt(at, v.Uint())
	}
}

func measureSelect(m *measurement) error {
	n, err := strconv.Atoi(m.name)
	if err != nil {
		return err
	}
	choose, form := selectMany, "reflect.Select"
	switch n {
	case 2:
		choose, form = select2, "select-statement"
	case 8:
		choose, form = select8, "select-statement"
	}
	m.param("by=%s", form)
	m.traffic(n, 1, 0, m.n/n, func(each int) (*taken, time.Duration) {
		var t taken
		ended := make(chan struct{})
		c := make([]chan uint64, n)
		for i := range c {
			c[i] = make(chan uint64)
		}
		start := time.Now()
		go func() {
			choose(c, n*each, &t)
			close(ended)
		}()
		for i := range c {
			go produce(c[i], i, each)
		}
		<-ended
		return &t, time.Since(start)
	})
	return nil
}
