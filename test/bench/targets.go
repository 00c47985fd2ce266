package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// target is one thing that is loaded, with the processes behind it.
type target struct {
	name, address, path, answer string
	hops                        map[string]func() int // name of the hop -> pid, looked up when asked
	baseline                    string                // the target that this one is compared with
}

func (t target) cpu() (map[string]float64, error) {
	all := map[string]float64{}
	for hop, pid := range t.hops {
		ms, err := cpuMillis(pid())
		if err != nil {
			return nil, fmt.Errorf("CPU of %s: %w", hop, err)
		}
		all[hop] = ms
	}
	return all, nil
}

// bench holds everything that runs during the measurements.
type bench struct {
	dir                     string
	started                 []*exec.Cmd
	manager                 *exec.Cmd
	targets                 []target
	firstStart, secondStart time.Duration
	publishNode, publishGo  time.Duration
	where                   struct{ AppHTTP, Link string }
}

func prepare() (*bench, error) {
	dir, err := os.MkdirTemp("", "nightshift-bench-")
	if err != nil {
		return nil, err
	}
	return &bench{dir: dir}, nil
}

func (b *bench) close() {
	for _, c := range b.started {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	}
	_ = os.RemoveAll(b.dir)
}

func (b *bench) run(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	c := command(ctx, name, args...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	b.started = append(b.started, c)
	return c, nil
}

// command makes a process that ends by close alone, not with ctx, so that the manager can stop its instances.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(context.WithoutCancel(ctx), name, args...)
}

const bareNode = `require('http').createServer((q, s) => { s.setHeader('content-type', 'text/plain'); s.end('Hello, world!'); }).listen(Number(process.argv[1]), '127.0.0.1')`

func (b *bench) startTargets(ctx context.Context) error {
	if err := b.baselines(ctx); err != nil {
		return err
	}
	if err := b.nightshift(ctx); err != nil {
		return err
	}
	manager := func() int { return b.manager.Process.Pid }
	worker := func(app string) int {
		if pids := find("NIGHTSHIFT_MANAGER_URL="+b.where.Link, "NIGHTSHIFT_APP="+app); len(pids) > 0 {
			return pids[0]
		}
		return 0
	}
	address := strings.Replace(strings.TrimPrefix(b.where.AppHTTP, "http://"), "localhost", "127.0.0.1", 1)
	b.targets = append(b.targets,
		target{"gateway > worker > Node", address, "/node-hello/api/hello", "Hello, world!", map[string]func() int{
			"gateway": manager, "worker": func() int { return worker("node-hello") }, "language worker": func() int { return childOf(worker("node-hello")) }}, "bare Node"},
		target{"gateway > worker > custom handler", address, "/go-handler/api/greet/world", "Hello, world", map[string]func() int{
			"gateway": manager, "worker": func() int { return worker("go-handler") }, "handler": func() int { return childOf(worker("go-handler")) }}, "bare handler"})
	return nil
}

// baselines starts what the product is compared with: the bare servers and the plain proxy in front of each.
func (b *bench) baselines(ctx context.Context) error {
	handler, err := filepath.Abs("bin/samples/go-handler/handler")
	if err != nil {
		return err
	}
	for _, bare := range []struct {
		name, path, answer string
		start              func(address string) (*exec.Cmd, error)
	}{
		{"bare Node", "/", "Hello, world!", func(a string) (*exec.Cmd, error) { return b.run(ctx, "node", "-e", bareNode, port(a)) }},
		{"bare handler", "/api/greet/world", "Hello, world", func(a string) (*exec.Cmd, error) {
			return b.run(ctx, "env", "FUNCTIONS_CUSTOMHANDLER_PORT="+port(a), handler)
		}},
	} {
		address, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		server, err := bare.start(address)
		if err != nil {
			return err
		}
		if err := answers(ctx, "http://"+address+bare.path); err != nil {
			return err
		}
		b.targets = append(b.targets, target{bare.name, address, bare.path, bare.answer, pid("server", server), bare.name})
		if err := b.proxyBefore(ctx, bare.name, address, bare.path, bare.answer); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) proxyBefore(ctx context.Context, name, to, path, answer string) error {
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	proxy, err := b.run(ctx, self, "-proxy", to, "-listen", address)
	if err != nil {
		return err
	}
	b.targets = append(b.targets, target{"ReverseProxy > " + strings.TrimPrefix(name, "bare "), address, path, answer, pid("proxy", proxy), name})
	return answers(ctx, "http://"+address+path)
}

func pid(hop string, c *exec.Cmd) map[string]func() int {
	return map[string]func() int{hop: func() int { return c.Process.Pid }}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// nightshift starts the manager twice: empty, with the samples to publish, and again with what it then has.
func (b *bench) nightshift(ctx context.Context) error {
	began := time.Now()
	log := filepath.Join(b.dir, "first.txt")
	if err := b.startManager(ctx, log, "--samples", "bin/samples"); err != nil {
		return err
	}
	if err := b.addresses(ctx); err != nil {
		return err
	}
	b.firstStart = time.Since(began)
	if err := b.answering(ctx); err != nil {
		return err
	}
	if err := waitFor(ctx, log, "Try:"); err != nil {
		return err
	}
	b.publishTimes(log)
	if err := b.stopManager(); err != nil {
		return err
	}
	began = time.Now()
	if err := b.startManager(ctx, filepath.Join(b.dir, "second.txt")); err != nil {
		return err
	}
	if err := b.addresses(ctx); err != nil {
		return err
	}
	err := b.answering(ctx)
	b.secondStart = time.Since(began)
	return err
}

func (b *bench) answering(ctx context.Context) error {
	for _, path := range []string{"/node-hello/api/hello", "/go-handler/api/greet/world"} {
		if err := answers(ctx, b.where.AppHTTP+path); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) startManager(ctx context.Context, log string, extra ...string) error {
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	free := "127.0.0.1:0"
	b.manager = command(ctx, "bin/manager", append([]string{"serve", "--data", filepath.Join(b.dir, "data"), "--http-addr", free,
		"--https-addr", free, "--app-http-addr", free, "--app-https-addr", free, "--link-addr", free}, extra...)...)
	b.manager.Stdout, b.manager.Stderr = out, os.Stderr
	if err := b.manager.Start(); err != nil {
		return err
	}
	b.started = append(b.started, b.manager)
	return nil
}

func (b *bench) stopManager() error {
	if err := b.manager.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	b.started = b.started[:len(b.started)-1]
	return b.manager.Wait()
}

func (b *bench) addresses(ctx context.Context) error {
	path := filepath.Join(b.dir, "data", "addresses.json")
	if err := waitFor(ctx, path, "}"); err != nil {
		return err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, &b.where)
}

// publishTimes reads what the samples' publication printed: "  node-hello answers after 1.2s".
func (b *bench) publishTimes(log string) {
	raw, _ := os.ReadFile(log)
	for line := range strings.Lines(string(raw)) {
		var app, took string
		if n, _ := fmt.Sscanf(strings.TrimSpace(line), "%s answers after %s", &app, &took); n != 2 {
			continue
		}
		d, _ := time.ParseDuration(took)
		if app == "node-hello" {
			b.publishNode = d
		} else {
			b.publishGo = d
		}
	}
}

func waitFor(ctx context.Context, path, text string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if raw, err := os.ReadFile(path); err == nil && strings.Contains(string(raw), text) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s never held %q: %w", path, text, ctx.Err())
		case <-tick.C:
		}
	}
}
