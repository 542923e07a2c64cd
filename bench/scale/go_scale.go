// SPDX-License-Identifier: MIT

// What happens to the cost when there is more of it, in Go. Part by part the program of
// weir_scale.cpp.
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"weir/bench/program"
)

type figures = []program.Figure

func sumOfSquares(n int) (sum int) {
	for i := 1; i <= n; i++ {
		sum += i * i
	}
	return sum
}

// Goroutines count themselves just before they wait: a moment later all of them do.
const settling = time.Millisecond

func waitFor(counter *int64, count int) {
	for atomic.LoadInt64(counter) < int64(count) {
		runtime.Gosched()
	}
	time.Sleep(settling)
}

// Bytes of memory that are really there.
func resident() float64 {
	file, err := os.Open("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	var size, pages float64
	fmt.Fscan(file, &size, &pages)
	return pages * float64(os.Getpagesize())
}

// A crew that waits for jobs: what is a job, what is a worker's start, what its end?
func workers(p *program.Program) figures {
	crew, jobs := p.Count("workers", 8), p.Count("jobs", 200000)
	in, out := make(chan int, 1024), make(chan int, 1024)
	var there int64
	var all sync.WaitGroup
	start := program.TimeNs(func() {
		for w := 0; w < crew; w++ {
			all.Add(1)
			go func() {
				defer all.Done()
				atomic.AddInt64(&there, 1)
				for job := range in {
					out <- job * job
				}
			}()
		}
		for atomic.LoadInt64(&there) < int64(crew) {
			runtime.Gosched()
		}
	})
	time.Sleep(settling)
	sum := 0
	work := program.TimeNs(func() {
		go func() {
			for i := 1; i <= jobs; i++ {
				in <- i
			}
		}()
		for i := 0; i < jobs; i++ {
			sum += <-out
		}
	})
	end := program.TimeNs(func() {
		close(in)
		all.Wait()
	})
	p.Check(sum == sumOfSquares(jobs), "jobs were lost or doubled")
	return figures{{Name: "ns", Value: work / float64(jobs)},
		{Name: "start", Value: start / float64(crew)}, {Name: "end", Value: end / float64(crew)}}
}

// from senders and to receivers of one channel.
func ends(p *program.Program) figures {
	from, to := p.Count("from", 1), p.Count("to", 1)
	items := p.Count("items", 200000) / (from * to) * (from * to)
	ch := make(chan int, p.Count("depth", 0))
	var sum int64
	ns := program.TimeNs(func() {
		var senders, receivers sync.WaitGroup
		senders.Add(from)
		for s := 0; s < from; s++ {
			go func(s int) {
				defer senders.Done()
				for i := s + 1; i <= items; i += from {
					ch <- i * i
				}
			}(s)
		}
		receivers.Add(to)
		for r := 0; r < to; r++ {
			go func() {
				defer receivers.Done()
				mine := 0
				for v := range ch {
					mine += v
				}
				atomic.AddInt64(&sum, int64(mine))
			}()
		}
		senders.Wait()
		close(ch)
		receivers.Wait()
	})
	p.Check(int(sum) == sumOfSquares(items), "items were lost or doubled")
	return figures{{Name: "ns", Value: ns / float64(items)}}
}

// What a goroutine costs that does nothing but wait.
func parked(p *program.Program) figures {
	tasks := p.Count("tasks", 100000)
	gate := make(chan int)
	var there int64
	before := resident()
	var all sync.WaitGroup
	all.Add(tasks)
	for t := 0; t < tasks; t++ {
		go func() {
			defer all.Done()
			atomic.AddInt64(&there, 1)
			<-gate
		}()
	}
	waitFor(&there, tasks)
	bytes := resident() - before
	close(gate)
	all.Wait()
	p.Check(int(there) == tasks, "a goroutine did not run")
	return figures{{Name: "bytes", Value: bytes / float64(tasks)}}
}

func selectOf2(c []chan int, items int) (sum int) {
	for i := 0; i < items; i++ {
		select {
		case v := <-c[0]:
			sum += v
		case v := <-c[1]:
			sum += v
		}
	}
	return sum
}

func selectOf8(c []chan int, items int) (sum int) {
	for i := 0; i < items; i++ {
		select {
		case v := <-c[0]:
			sum += v
		case v := <-c[1]:
			sum += v
		case v := <-c[2]:
			sum += v
		case v := <-c[3]:
			sum += v
		case v := <-c[4]:
			sum += v
		case v := <-c[5]:
			sum += v
		case v := <-c[6]:
			sum += v
		case v := <-c[7]:
			sum += v
		}
	}
	return sum
}

func selectOfMany(c []chan int, items int) (sum int) {
	cases := make([]reflect.SelectCase, len(c))
	for i := range c {
		cases[i] = reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c[i])}
	}
	for i := 0; i < items; i++ {
		_, v, _ := reflect.Select(cases)
		sum += int(v.Int())
	}
	return sum
}

// Another goroutine sends to the channels in turn.
func selectCases(p *program.Program) figures {
	count, items, depth := p.Count("cases", 2), p.Count("items", 200000), p.Count("depth", 0)
	from := make([]chan int, count)
	for c := range from {
		from[c] = make(chan int, depth)
	}
	sum := 0
	ns := program.TimeNs(func() {
		go func() {
			for i := 1; i <= items; i++ {
				from[i%count] <- i * i
			}
		}()
		switch count {
		case 2:
			sum = selectOf2(from, items)
		case 8:
			sum = selectOf8(from, items)
		default:
			sum = selectOfMany(from, items)
		}
	})
	p.Check(sum == sumOfSquares(items), "items were lost or doubled")
	return figures{{Name: "ns", Value: ns / float64(items)}}
}

// From cancel() until the last waiter runs again.
func cancelWaiters(p *program.Program) figures {
	waiters, turns := p.Count("waiters", 1000), p.Count("turns", 1)
	times := make([]float64, turns)
	for turn := range times {
		ctx, cancel := context.WithCancel(context.Background())
		never := make(chan int)
		var there int64
		var all sync.WaitGroup
		all.Add(waiters)
		for w := 0; w < waiters; w++ {
			go func() {
				defer all.Done()
				atomic.AddInt64(&there, 1)
				select {
				case <-ctx.Done():
				case <-never:
				}
			}()
		}
		waitFor(&there, waiters)
		times[turn] = program.TimeNs(func() {
			cancel()
			all.Wait()
		})
	}
	sort.Float64s(times)
	return figures{{Name: "ns", Value: times[(turns-1)/2] / float64(waiters)}}
}

type key int

// A chain of contexts, or a root with many children.
func contextTree(p *program.Program, deep bool) figures {
	count := p.Count("contexts", 1000)
	root, cancelRoot := context.WithCancel(context.WithValue(context.Background(), key(7), 42))
	all := make([]context.Context, 0, count)
	cancels := make([]context.CancelFunc, 0, count)
	last := root
	make := program.TimeNs(func() {
		for i := 0; i < count; i++ {
			ctx, cancel := context.WithCancel(last)
			if deep {
				last = ctx
			}
			all, cancels = append(all, ctx), append(cancels, cancel)
		}
	})
	asked, found := 200000/count, 0
	if asked < 5 {
		asked = 5
	}
	value := program.TimeNs(func() {
		for i := 0; i < asked; i++ {
			found += all[count-1].Value(key(7)).(int)
		}
	})
	cancel := program.TimeNs(cancelRoot)
	cancelled := 0
	for _, c := range all {
		if c.Err() == context.Canceled {
			cancelled++
		}
	}
	p.Check(cancelled == count && found == 42*asked, "a context was forgotten")
	for _, c := range cancels {
		c()
	}
	return figures{{Name: "ns", Value: cancel / float64(count)},
		{Name: "make", Value: make / float64(count)}, {Name: "value", Value: value / float64(asked)}}
}

func main() {
	p := program.New("go")
	cases := map[string]func(*program.Program) figures{
		"workers": workers, "ends": ends, "parked": parked, "select": selectCases,
		"cancel": cancelWaiters,
		"deep":   func(p *program.Program) figures { return contextTree(p, true) },
		"broad":  func(p *program.Program) figures { return contextTree(p, false) },
	}
	measure, ok := cases[p.Which()]
	if !ok {
		p.UnknownCase()
	}
	// Not warmed up: memory that is counted must be fresh; and a million take long enough once.
	if p.Which() != "parked" && p.Count("workers", 0) < 1000000 {
		measure(p)
	}
	p.Print(measure(p)...)
}
