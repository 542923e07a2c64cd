// SPDX-License-Identifier: MIT

// How Go behaves, with the usual pool: workers that range over a channel of functions; see
// weir_behaviour.cpp.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const soon = 50 * time.Millisecond

func judge(asWanted bool, what string) {
	word := "lost"
	if asWanted {
		word = "passes"
	}
	fmt.Printf("%s: %s\n", word, what)
}

func cancel() {
	ctx, cancel := context.WithCancel(context.Background())
	jobs, gate := make(chan func(), 1), make(chan int)
	go func() {
		for job := range jobs {
			job()
		}
	}()
	jobs <- func() { <-gate }
	jobs <- func() {}
	result := make(chan error)
	go func() {
		for {
			select {
			case jobs <- func() {}:
			case <-ctx.Done():
				result <- ctx.Err()
				return
			}
		}
	}()
	time.Sleep(soon)
	cancel()
	judge(<-result == context.Canceled, "select with ctx.Done()")
}

func closing() {
	full, empty := make(chan int), make(chan int)
	var sender, receiver bool
	var both sync.WaitGroup
	both.Add(2)
	go func() {
		defer both.Done()
		defer func() { sender = recover() != nil }()
		full <- 1
	}()
	go func() {
		defer both.Done()
		_, ok := <-empty
		receiver = !ok
	}()
	time.Sleep(soon)
	close(full)
	close(empty)
	both.Wait()
	judge(sender && receiver, "the sender panics, the receiver hears of it")
}

func selects() {
	const n = 5000
	a, b := make(chan int), make(chan int)
	var sum int64
	var consumers sync.WaitGroup
	for c := 0; c < 4; c++ {
		consumers.Add(1)
		go func() {
			defer consumers.Done()
			for v, open := 0, true; open; atomic.AddInt64(&sum, int64(v)) {
				v = 0
				select {
				case v, open = <-a:
				case v, open = <-b:
				case <-time.After(20 * time.Microsecond):
				}
			}
		}()
	}
	for i := 1; i <= n; i++ {
		for sent := false; !sent; {
			select {
			case a <- i:
				sent = true
			case b <- i:
				sent = true
			case <-time.After(20 * time.Microsecond):
			}
		}
	}
	close(a)
	close(b)
	consumers.Wait()
	judge(sum == n*(n+1)/2, "each value arrived once")
}

func spin() {
	var begun int32
	var both sync.WaitGroup
	both.Add(2)
	for i := 0; i < 2; i++ {
		go func() {
			defer both.Done()
			atomic.AddInt32(&begun, 1)
			for atomic.LoadInt32(&begun) < 2 {
			}
		}()
	}
	both.Wait()
	judge(true, "goroutines are preempted")
}

func main() {
	cases := map[string]func(){
		"cancel": cancel, "close": closing, "select": selects, "spin": spin,
	}
	run, ok := cases[os.Args[1]]
	if !ok {
		os.Exit(3)
	}
	run()
}
