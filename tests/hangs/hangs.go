// SPDX-License-Identifier: MIT

// The hang programs in Go, with the usual pool: workers that range over a channel of functions.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

func pool(workers, queue int) (chan func(), *sync.WaitGroup) {
	jobs := make(chan func(), queue)
	var wg sync.WaitGroup
	for i := 0; i < workers; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for job := range jobs {
				job()
			}
		}()
	}
	return jobs, &wg
}

func submit(jobs chan func(), f func() int) chan int {
	result := make(chan int, 1)
	jobs <- func() { result <- f() }
	return result
}

func fib(jobs chan func(), n int) int {
	if n < 2 {
		return n
	}
	a := submit(jobs, func() int { return fib(jobs, n-1) })
	b := submit(jobs, func() int { return fib(jobs, n-2) })
	return <-a + <-b
}

func nested() string {
	jobs, _ := pool(1, 1)
	<-submit(jobs, func() int { return <-submit(jobs, func() int { return 41 }) + 1 })
	return "passes"
}

func recursion() string {
	jobs, _ := pool(8, 4)
	<-submit(jobs, func() int { return fib(jobs, 25) })
	return "passes"
}

func full() string {
	jobs, wg := pool(1, 2)
	jobs <- func() {
		for i := 0; i < 10; i++ {
			jobs <- func() {}
		}
		close(jobs)
	}
	wg.Wait()
	return "passes"
}

func events() string {
	runtime.GOMAXPROCS(1)
	jobs, wg := pool(2, 2)
	a, b := make(chan int, 1), make(chan int, 1)
	jobs <- func() { a <- 1; <-b }
	jobs <- func() { b <- 1; <-a }
	close(jobs)
	wg.Wait()
	return "passes: 2 workers on 1 thread: a goroutine that waits costs none"
}

func throwing() string {
	jobs, wg := pool(1, 1)
	jobs <- func() { panic("disk full") }
	close(jobs)
	wg.Wait()
	return "lost: nobody heard of it"
}

func destructor() string {
	ran := 0
	jobs, wg := pool(1, 100)
	for i := 0; i < 100; i++ {
		jobs <- func() { ran++ }
	}
	close(jobs)
	wg.Wait()
	return fmt.Sprintf("passes: %d of 100 ran: with wg.Wait(); without, main ends and drops them", ran)
}

func lock() string {
	var m sync.Mutex
	jobs, wg := pool(2, 4)
	jobs <- func() {
		m.Lock()
		defer m.Unlock()
		part := submit(jobs, func() int { return 1 })
		jobs <- func() { m.Lock(); m.Unlock() }
		<-part
		close(jobs)
	}
	wg.Wait()
	return "passes: with 2 workers; with 1 it is `nested`"
}

func main() {
	cases := map[string]func() string{"nested": nested, "recursion": recursion, "full": full,
		"events": events, "throw": throwing, "destructor": destructor, "lock": lock}
	f, ok := cases[os.Args[1]]
	if !ok {
		os.Exit(3)
	}
	fmt.Println(f())
}
