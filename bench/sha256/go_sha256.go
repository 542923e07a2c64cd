// SPDX-License-Identifier: MIT

// goperf.dev's benchmark: jobs that hash "payload-<i>" with SHA-256, 10 workers, in Go. `bytes`
// pads the payload. Figures: ns a job; serial, the same work in a loop on one core; efficiency =
// serial / (cores * ns).
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"weir/bench/program"
)

// Eight bytes of the hash, so that results can be added up.
func hash(job, bytes int) uint64 {
	head := fmt.Sprintf("payload-%d", job)
	if bytes < len(head) {
		bytes = len(head)
	}
	payload := make([]byte, bytes)
	copy(payload, head)
	digest := sha256.Sum256(payload)
	return binary.LittleEndian.Uint64(digest[:])
}

func serial(jobs, bytes int) (sum uint64) {
	for i := 0; i < jobs; i++ {
		sum += hash(i, bytes)
	}
	return sum
}

func pool(n, workers, bytes int) uint64 {
	jobs := make(chan int, n)
	var sum uint64
	var crew sync.WaitGroup
	crew.Add(workers)
	for w := 0; w < workers; w++ {
		go func() {
			defer crew.Done()
			mine := uint64(0)
			for job := range jobs {
				mine += hash(job, bytes)
			}
			atomic.AddUint64(&sum, mine)
		}()
	}
	for i := 0; i < n; i++ {
		jobs <- i
	}
	close(jobs)
	crew.Wait()
	return sum
}

func main() {
	p := program.New("go")
	jobs, workers, bytes := p.Count("jobs", 10000), p.Count("workers", 10), p.Count("bytes", 0)
	turns := p.Count("turns", 10)
	if p.Which() != "channel" {
		p.UnknownCase()
	}
	want := serial(jobs, bytes) // warm-up
	sum := uint64(0)
	repeat := func(f func() uint64) float64 {
		f() // warm-up
		sum = 0
		return program.TimeNs(func() {
			for t := 0; t < turns; t++ {
				sum += f()
			}
		})
	}
	alone := repeat(func() uint64 { return serial(jobs, bytes) })
	p.Check(sum == want*uint64(turns), "wrong sum of hashes")
	together := repeat(func() uint64 { return pool(jobs, workers, bytes) })
	p.Check(sum == want*uint64(turns), "jobs were lost or doubled")
	all := float64(turns * jobs)
	p.Print(program.Figure{Name: "ns", Value: together / all},
		program.Figure{Name: "serial", Value: alone / all},
		program.Figure{Name: "efficiency", Value: alone / (float64(runtime.NumCPU()) * together)})
}
