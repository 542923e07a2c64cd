// SPDX-License-Identifier: MIT

// The article's benchmark in Go, to be run in turn with seed_bench.cpp, which is the same program.
// Prints one JSON line a round.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
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
			case results <- job * 2:
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
		for i := 0; i < n; i++ {
			jobs <- i
		}
	}()
	var wg sync.WaitGroup
	for w := 0; w < workers; w++ {
		wg.Add(1)
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
		for i := 0; i < n; i++ {
			wg.Add(1)
			go func(job int) {
				defer wg.Done()
				results <- job * 2
			}(i)
		}
		wg.Wait()
		close(results)
	}()
	return drain(results)
}

func main() {
	mode := flag.String("mode", "pool", "pool or unbounded")
	workers := flag.Int("workers", 8, "workers of the pool")
	depth := flag.Int("depth", 1024, "capacity of both channels")
	n := flag.Int("jobs", 1000000, "jobs a round")
	rounds := flag.Int("rounds", 1, "measured rounds")
	flag.Parse()
	run := func(n int) int {
		if *mode == "unbounded" {
			return unbounded(n, *depth)
		}
		return pool(n, *workers, *depth)
	}
	run(*n / 10) // warm-up
	for r := 0; r < *rounds; r++ {
		start := time.Now()
		sum := run(*n)
		spent := time.Since(start)
		if sum != *n*(*n-1) {
			fmt.Fprintln(os.Stderr, "wrong sum: jobs were lost or doubled")
			os.Exit(1)
		}
		fmt.Printf(`{"impl":"go","mode":%q,"workers":%d,"depth":%d,"jobs":%d,"ns_per_job":%.2f}`+"\n",
			*mode, *workers, *depth, *n, float64(spent.Nanoseconds())/float64(*n))
	}
}
