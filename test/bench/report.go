package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// table measures every target in turns, so that what else the machine does hits all alike, and prints the medians.
func (b *bench) table(ctx context.Context, connections int, slice time.Duration, rounds int) error {
	results := map[string][]result{}
	for range rounds {
		for _, t := range b.targets {
			if _, err := load(ctx, t, connections, slice/4); err != nil { // warm
				return err
			}
			r, err := load(ctx, t, connections, slice)
			if err != nil {
				return err
			}
			results[t.name] = append(results[t.name], r)
		}
	}
	fmt.Printf("%d connections, %d rounds of %s, medians\n\n", connections, rounds, slice)
	fmt.Println("| target | req/s | of its baseline | p50 | p99 | CPU ms a request, by hop | platform CPU ms |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, t := range b.targets {
		m := median(results[t.name])
		base := median(results[t.baseline]).perSecond()
		fmt.Printf("| %s | %.0f | %.2f | %s | %s | %s | %.3f |\n", t.name, m.perSecond(), m.perSecond()/base,
			m.percentile(.5).Round(time.Microsecond), m.percentile(.99).Round(10*time.Microsecond), hops(m), m.cpu["gateway"]+m.cpu["worker"]+m.cpu["proxy"])
	}
	fmt.Println()
	return nil
}

func median(all []result) result {
	if len(all) == 0 {
		return result{}
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b result) int { return int(a.perSecond() - b.perSecond()) })
	return sorted[len(sorted)/2]
}

func hops(r result) string {
	var parts []string
	for _, hop := range slices.Sorted(maps.Keys(r.cpu)) {
		parts = append(parts, fmt.Sprintf("%s %.3f", hop, r.cpu[hop]))
	}
	return strings.Join(parts, ", ")
}

func (b *bench) memory() {
	fmt.Println("Resident memory after the load:")
	seen := map[int]bool{}
	for _, t := range b.targets {
		for _, hop := range slices.Sorted(maps.Keys(t.hops)) {
			if pid := t.hops[hop](); !seen[pid] {
				seen[pid] = true
				fmt.Printf("  %-34s %-16s %6.1f MiB\n", t.name, hop, rssMiB(pid))
			}
		}
	}
}
