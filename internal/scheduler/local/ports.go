package local

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
)

// portPool hands out ports of a range. It is guarded by the scheduler's lock.
type portPool struct {
	first, last int
	next        int // where the search goes on, so that a port rests before it is given again
	taken       map[int]bool
}

// newPortPool starts its search anywhere in the range: two managers on one machine then seldom look at the same port.
func newPortPool(first, last int) *portPool {
	return &portPool{first: first, last: last, next: first + rand.IntN(last-first+1), taken: map[int]bool{}}
}

// take returns one free port for each label, or false when there are too few. A port that some other program listens
// on counts as taken; nothing keeps a program from taking one afterwards, which then shows as a failed start.
func (p *portPool) take(ctx context.Context, labels []string) (map[string]int, bool) {
	ports := map[string]int{}
	for _, label := range labels {
		port, ok := p.takeOne(ctx)
		if !ok {
			p.release(ports)
			return nil, false
		}
		ports[label] = port
	}
	return ports, true
}

func (p *portPool) takeOne(ctx context.Context) (int, bool) {
	for range p.last - p.first + 1 {
		port := p.next
		if p.next++; p.next > p.last {
			p.next = p.first
		}
		if !p.taken[port] && free(ctx, port) {
			p.taken[port] = true
			return port, true
		}
	}
	return 0, false
}

func (p *portPool) release(ports map[string]int) {
	for _, port := range ports {
		delete(p.taken, port)
	}
}

func free(ctx context.Context, port int) bool {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
