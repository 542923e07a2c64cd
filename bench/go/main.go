// SPDX-License-Identifier: MIT

// The article's benchmark in Go, to be run in turn with seed_bench.cpp, which is the same program.
// Prints one JSON line a round.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"
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
func cancelLatency(turns, waiters int) time.Duration {
	times := make([]time.Duration, turns)
	for i := range times {
		times[i] = cancelWaiters(waiters)
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	return times[(turns*99-1)/100]
}

// What the results add up to. Sums may wrap: both programs wrap alike, and a lost job still shows.
func expected(n int) (sum int) {
	for i := 1; i <= n; i++ {
		sum += i * i
	}
	return sum
}

func main() {
	mode := flag.String("mode", "pool", "pool, unbounded or cancel")
	workers := flag.Int("workers", 8, "workers of the pool")
	depth := flag.Int("depth", 1024, "capacity of both channels")
	n := flag.Int("jobs", 1000000, "jobs a round")
	rounds := flag.Int("rounds", 1, "measured rounds")
	flag.Parse()
	known := *mode == "pool" || *mode == "unbounded" || *mode == "cancel"
	if !known || *workers < 1 || *depth < 0 || *n < 1 || *rounds < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	print := func(ns float64) {
		fmt.Printf(`{"impl":"go","mode":%q,"workers":%d,"depth":%d,"jobs":%d,"ns_per_job":%.2f}`+"\n",
			*mode, *workers, *depth, *n, ns)
	}
	if *mode == "cancel" {
		cancelLatency(*n/10+1, *workers) // warm-up
		for r := 0; r < *rounds; r++ {
			print(float64(cancelLatency(*n, *workers).Nanoseconds()))
		}
		return
	}
	run := func(n int) int {
		if *mode == "unbounded" {
			return unbounded(n, *depth)
		}
		return pool(n, *workers, *depth)
	}
	run(*n / 10) // warm-up
	want := expected(*n)
	for r := 0; r < *rounds; r++ {
		start := time.Now()
		sum := run(*n)
		spent := time.Since(start)
		if sum != want {
			fmt.Fprintln(os.Stderr, "wrong sum: jobs were lost or doubled")
			os.Exit(1)
		}
		print(float64(spent.Nanoseconds()) / float64(*n))
	}
}
