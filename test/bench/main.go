// Command bench measures Nightshift on this machine: requests, CPU per hop, start, memory and publishing, each as a
// ratio to a baseline of the same run. `make bench` builds what it needs and runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	proxy := flag.String("proxy", "", "internal: run as the baseline reverse proxy to this address")
	listen := flag.String("listen", "127.0.0.1:0", "internal: where the baseline proxy listens")
	seconds := flag.Duration("slice", 4*time.Second, "length of one measurement")
	rounds := flag.Int("rounds", 3, "how often each target is measured; the medians are reported")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *proxy != "" {
		err = runProxy(ctx, *listen, *proxy)
	} else {
		err = run(ctx, *seconds, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, slice time.Duration, rounds int) error {
	b, err := prepare()
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("Machine: %s\n\n", machine(ctx))
	if err := b.startTargets(ctx); err != nil {
		return err
	}
	fmt.Printf("Start: first start of an empty manager to ready %d ms, restart with 2 apps to their first answers %d ms.\n",
		b.firstStart.Milliseconds(), b.secondStart.Milliseconds())
	fmt.Printf("Publish to serving: Node %d ms, custom handler %d ms.\n\n", b.publishNode.Milliseconds(), b.publishGo.Milliseconds())
	for _, connections := range []int{1, 32} {
		if err := b.table(ctx, connections, slice, rounds); err != nil {
			return err
		}
	}
	b.memory()
	return nil
}
