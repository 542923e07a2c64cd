// SPDX-License-Identifier: MIT

// Package program is what every benchmark program in Go begins and ends with: program.hpp, in Go.
package program

import (
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Program is one run of a benchmark program: <program> <case> key=value ...
type Program struct {
	impl, which string
	given       map[string]int
	known       map[string]bool
}

// Figure is a name and a number of the JSON line.
type Figure struct {
	Name  string
	Value float64
}

// New reads the command line.
func New(impl string) *Program {
	p := &Program{impl: impl, given: map[string]int{}, known: map[string]bool{}}
	if len(os.Args) < 2 {
		p.fail(2, "usage: <program> <case> key=value ...")
	}
	p.which = os.Args[1]
	for _, word := range os.Args[2:] {
		key, text, _ := strings.Cut(word, "=")
		value, err := strconv.Atoi(text)
		if err != nil {
			p.fail(2, word+" is not key=<whole number>")
		}
		p.given[key] = value
	}
	return p
}

// Which is the case that is to run.
func (p *Program) Which() string { return p.which }

// Count is the value of a parameter.
func (p *Program) Count(key string, otherwise int) int {
	p.known[key] = true
	if value, ok := p.given[key]; ok {
		return value
	}
	return otherwise
}

// UnknownCase ends the program.
func (p *Program) UnknownCase() { p.fail(2, "no case "+p.which+" here") }

// Check ends the program if its results are wrong.
func (p *Program) Check(right bool, otherwise string) {
	if !right {
		p.fail(1, otherwise)
	}
}

// Print writes the JSON line, with what was given, so that the harness sees that it was this that
// ran.
func (p *Program) Print(figures ...Figure) {
	var line strings.Builder
	fmt.Fprintf(&line, `{"impl":%q,"case":%q`, p.impl, p.which)
	for key, value := range p.given {
		if !p.known[key] {
			p.fail(2, "no parameter "+key+" in this case")
		}
		fmt.Fprintf(&line, `,%q:%d`, key, value)
	}
	for _, f := range figures {
		fmt.Fprintf(&line, `,%q:%.4f`, f.Name, f.Value)
	}
	fmt.Println(line.String() + "}")
}

func (p *Program) fail(status int, why string) {
	fmt.Fprintf(os.Stderr, "%s %s: %s\n", os.Args[0], p.which, why)
	os.Exit(status)
}

// TimeNs is the wall-clock nanoseconds that f takes.
func TimeNs(f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start).Nanoseconds())
}

// Percentiles are the figures of a latency program: p50, p99, p999, by nearest rank.
func Percentiles(samples []float64) []Figure {
	sort.Float64s(samples)
	at := func(p float64) float64 {
		return samples[int(math.Max(math.Ceil(p*float64(len(samples))), 1))-1]
	}
	return []Figure{{"p50", at(0.5)}, {"p99", at(0.99)}, {"p999", at(0.999)}}
}
