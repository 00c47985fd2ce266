package local

import (
	"cmp"
	"slices"
	"time"
)

// candidate is a live instance that is not stopping, as the plan sees it.
type candidate struct {
	current bool // of the job's present version
	healthy bool
	seq     int // grows with every instance
}

// retry is a replacement that waits for its time.
type retry struct {
	at  time.Time
	row int // failed instances in a row before it
}

// steps is what brings a job to its wanted count.
type steps struct {
	stop    []int // indexes into the candidates
	start   []int // one per new instance: its place in a row of failures
	waiting []retry
}

// plan decides, from the wanted count, what lives and what waits to be replaced, which instances stop and which start
// now. Instances of older versions always stop. Of too many the unhealthy stop first, then the newest, so that a
// scale-down does not take those that have proven themselves.
func plan(now time.Time, want int, live []candidate, retries []retry) steps {
	var out steps
	var keep []int
	for i, c := range live {
		if c.current {
			keep = append(keep, i)
		} else {
			out.stop = append(out.stop, i)
		}
	}
	slices.SortFunc(keep, func(a, b int) int {
		if live[a].healthy != live[b].healthy {
			return boolOrder(live[b].healthy, live[a].healthy)
		}
		return cmp.Compare(live[a].seq, live[b].seq)
	})
	if len(keep) > want {
		out.stop = append(out.stop, keep[want:]...)
		return out
	}
	missing := want - len(keep)
	slices.SortFunc(retries, func(a, b retry) int { return a.at.Compare(b.at) })
	retries = retries[:min(missing, len(retries))]
	for range missing - len(retries) {
		out.start = append(out.start, 0)
	}
	for _, r := range retries {
		if r.at.After(now) {
			out.waiting = append(out.waiting, r)
		} else {
			out.start = append(out.start, r.row)
		}
	}
	return out
}

// boolOrder compares two bools, false first.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
