// SPDX-License-Identifier: MIT

// The backend `go`: one measurement, as raw JSON on stdout, by the rules of
// bench/backend/main.c:
//
//	bench_go --workload=W --size=S --case=C --workers=N
//
// Exit status: 0 measured, 1 measured and found wrong, 2 bad arguments, 3 could
// not be measured. What this backend does not have is {"skipped":"why"} and 0.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

type benchCase struct {
	workload, size, name string
	n, nSlow             int
}

type measurement struct {
	benchCase
	workers  int
	params   string
	verified bool
}

var measures = map[string]func(m *measurement) error{
	"fib":       measureFib,
	"fib-typed": measureFib,
	"nqueens":   measureQueens,
	"flat":      measureFlat,
	"yield":     measureYield,
	"burst":     measureBurst,
	"mem":       measureMem,
	"pingpong":  measurePingpong,
	"mutex":     measureMutex,
	"chan":      measureChan,
	"select":    measureSelect,
	"timers":    measureTimers,
	"wake":      measureWake,
	"echo":      measureEcho,
	"block":     measureBlock,
}

// why there is no such thing; empty: there is.
func why(c benchCase) string {
	switch {
	case c.workload == "uts" || c.workload == "sort":
		return "what it computes is C that the other backends share"
	case c.workload == "mem" && c.name == "spawned":
		return "a goroutine may be started as it is created"
	case c.workload == "alloc":
		return "objects of Go are freed by its collector, not by a call"
	case c.workload == "block" && c.name == "call":
		return "Go marks the system calls, each of them, and nothing else"
	case c.workload == "block" && (c.name == "handoff-unmarked" || c.name == "readers-unmarked"):
		return "Go marks each system call; one that is not marked must not block"
	case c.workload == "triad" || c.workload == "jacobi" || c.workload == "placement":
		return "Go knows nothing of nodes"
	}
	return ""
}

// As case_one_worker() in bench/workload/catalogue.c.
func oneWorkerCase(c benchCase) bool {
	if c.workload == "timers" && !strings.HasPrefix(c.name, "periodic") {
		return true
	}
	if c.workload == "alloc" && strings.HasPrefix(c.name, "pair-") {
		return true
	}
	return c.workload == "block" && (c.name == "call" || strings.HasPrefix(c.name, "handoff"))
}

func bad(what, value string) {
	fmt.Fprintf(os.Stderr, "bench_go: %s '%s'\n", what, value)
	os.Exit(2)
}

func parse(args []string) *measurement {
	given := map[string]string{"--workers": "1", "--size": "small"}
	for _, arg := range args {
		name, value, valued := strings.Cut(arg, "=")
		switch name {
		case "--workload", "--size", "--case", "--workers", "--file":
			if valued {
				given[name] = value
				continue
			}
		}
		bad("unexpected argument", arg)
	}
	m := &measurement{verified: true}
	workers, err := strconv.Atoi(given["--workers"])
	if err != nil || workers < 1 || workers > 4096 {
		bad("--workers must be 1 to 4096, not", given["--workers"])
	}
	m.workers = workers
	for _, c := range benchCases {
		if c.workload == given["--workload"] && c.size == given["--size"] && c.name == given["--case"] {
			m.benchCase = c
		}
	}
	if m.workload == "" {
		bad("no such workload, or no such case and size of it:", given["--workload"])
	}
	if workers != 1 && (oneWorker[m.workload] || oneWorkerCase(m.benchCase)) {
		bad("with this workload --workers must be 1, not", given["--workers"])
	}
	return m
}

func (m *measurement) param(format string, args ...any) {
	if m.params != "" {
		m.params += " "
	}
	m.params += fmt.Sprintf(format, args...)
}

func (m *measurement) wrong(format string, args ...any) {
	m.verified = false
	fmt.Fprintf(os.Stderr, "%s %s, go, %d workers: wrong: %s\n", m.workload, m.name, m.workers,
		fmt.Sprintf(format, args...))
}

func (m *measurement) emit(metric, unit, better string, value float64) {
	fmt.Printf("{\"params\":\"%s\",\"metric\":\"%s\",\"unit\":\"%s\",\"better\":\"%s\",\"value\":%.6g,"+
		"\"verified\":%t}\n", m.params, metric, unit, better, value, m.verified)
}

// The mean of a run, in ns: what is short is run again and again, after one run
// that only warms up (as measure_time() in bench/workload/measure.c).
func timed(once func()) float64 {
	const least = 50 * time.Millisecond
	start := time.Now()
	once()
	took := time.Since(start)
	if took >= 2*least {
		return float64(took)
	}
	loops := 0
	for start = time.Now(); loops == 0 || took < least && loops < 1000; loops++ {
		once()
		took = time.Since(start)
	}
	return float64(took) / float64(loops)
}

func main() {
	m := parse(os.Args[1:])
	if reason := why(m.benchCase); reason != "" {
		fmt.Printf("{\"skipped\":\"%s\"}\n", reason)
		return
	}
	runtime.GOMAXPROCS(m.workers)
	if err := measures[m.workload](m); err != nil {
		fmt.Fprintf(os.Stderr, "bench_go: %s %s: %s\n", m.workload, m.name, err)
		os.Exit(3)
	}
	if !m.verified {
		os.Exit(1)
	}
}
