// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

const messageBytes = 64

// A goroutine for each connection.
func serve(c net.Conn, ended *sync.WaitGroup) {
	defer ended.Done()
	defer c.Close()
	buffer := make([]byte, messageBytes)
	for {
		n, err := c.Read(buffer)
		if err != nil || n == 0 {
			return
		}
		if lying {
			buffer[n-1]++
		}
		if _, err := c.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// By the rules of bench/workload/echo.c, with the same client.
func measureEcho(m *measurement) error {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		files.Cur = files.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	connections, err := strconv.Atoi(m.name)
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	client := exec.Command(filepath.Join(filepath.Dir(self), "bench_load"), strconv.Itoa(port), m.name,
		strconv.Itoa(m.n))
	var out bytes.Buffer
	client.Stdout = &out
	client.Stderr = os.Stderr
	if err := client.Start(); err != nil {
		return err
	}
	var ended sync.WaitGroup
	for i := 0; i < connections; i++ {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		ended.Add(1)
		go serve(c, &ended)
	}
	ended.Wait()
	if err := client.Wait(); err != nil {
		return err
	}
	var right int
	var ns, p50, p99 float64
	if _, err := fmt.Sscan(out.String(), &right, &ns, &p50, &p99); err != nil {
		return err
	}
	m.param("connections=%s bytes=%d n=%d", m.name, messageBytes, m.n)
	if right != m.n {
		m.wrong("%d of %d answers were what had been sent", right, m.n)
	}
	m.emit("ns_per_request", "ns", "lower", ns/float64(m.n))
	m.emit("requests_per_s", "1/s", "higher", float64(m.n)*1e9/ns)
	m.emit("p50_us", "us", "lower", p50/1e3)
	m.emit("p99_us", "us", "lower", p99/1e3)
	return nil
}
