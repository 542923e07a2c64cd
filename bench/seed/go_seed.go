// SPDX-License-Identifier: MIT

// The article's benchmark in Go, to be run in turn with weir_seed.cpp, which is the same program.
package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir/bench/program"
)

func worker(ctx context.Context, jobs <-chan int, results chan<- int) {
	for {
		select {
		case <-ctx.Done():
			return
		case job, ok := <-jobs:
			if !ok {
				return
			}
			select {
			case <-ctx.Done():
				return
			case results <- job * job:
			}
		}
	}
}

func drain(results <-chan int) (sum int) {
	for v := range results {
		sum += v
	}
	return sum
}

// A fixed crew: producer, workers, closer, and the caller as the consumer.
func pool(n, workers, depth int) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	jobs := make(chan int, depth)
	results := make(chan int, depth)
	go func() {
		defer close(jobs)
		for i := 1; i <= n; i++ {
			jobs <- i
		}
	}()
	var wg sync.WaitGroup
	wg.Add(workers)
	for w := 0; w < workers; w++ {
		go func() {
			defer wg.Done()
			worker(ctx, jobs, results)
		}()
	}
	go func() {
		wg.Wait()
		close(results)
	}()
	return drain(results)
}

// A goroutine for every job.
func unbounded(n, depth int) int {
	results := make(chan int, depth)
	var wg sync.WaitGroup
	go func() {
		for i := 1; i <= n; i++ {
			wg.Add(1)
			go func(job int) {
				defer wg.Done()
				results <- job * job
			}(i)
		}
		wg.Wait()
		close(results)
	}()
	return drain(results)
}

// One turn: from cancel() to the last waiter's return.
func cancelWaiters(waiters int) time.Duration {
	ctx, cancel := context.WithCancel(context.Background())
	never := make(chan int)
	var there, back int32
	var last time.Time
	var all sync.WaitGroup
	all.Add(waiters)
	for i := 0; i < waiters; i++ {
		go func() {
			defer all.Done()
			atomic.AddInt32(&there, 1)
			select {
			case <-ctx.Done():
			case <-never:
			}
			if atomic.AddInt32(&back, 1) == int32(waiters) {
				last = time.Now()
			}
		}()
	}
	for atomic.LoadInt32(&there) < int32(waiters) {
		runtime.Gosched()
	}
	time.Sleep(time.Millisecond) // they have counted themselves just before they park
	start := time.Now()
	cancel()
	all.Wait()
	return last.Sub(start)
}

// The 99th percentile over some turns.
func cancelLatency(turns, waiters int) float64 {
	times := make([]float64, turns)
	for i := range times {
		times[i] = float64(cancelWaiters(waiters).Nanoseconds())
	}
	return program.Percentiles(times)[1].Value
}

// What the results add up to. Sums may wrap: both programs wrap alike, and a lost job still shows.
func expected(n int) (sum int) {
	for i := 1; i <= n; i++ {
		sum += i * i
	}
	return sum
}

func main() {
	p := program.New("go")
	workers, depth, n := p.Count("workers", 8), p.Count("depth", 1024), p.Count("jobs", 1000000)
	run := func(n int) int {
		if p.Which() == "unbounded" {
			return unbounded(n, depth)
		}
		return pool(n, workers, depth)
	}
	switch p.Which() {
	case "cancel":
		cancelLatency(n/10+1, workers) // warm-up
		p.Print(program.Figure{Name: "ns", Value: cancelLatency(n, workers)})
	case "pool", "unbounded":
		run(n / 10) // warm-up
		sum := 0
		ns := program.TimeNs(func() { sum = run(n) })
		p.Check(sum == expected(n), "wrong sum: jobs were lost or doubled")
		p.Print(program.Figure{Name: "ns", Value: ns / float64(n)})
	default:
		p.UnknownCase()
	}
}
