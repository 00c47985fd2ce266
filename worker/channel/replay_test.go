package channel_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/channel/channeltest"
	"github.com/nightshift-functions/nightshift/worker/rpc"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

func TestMain(m *testing.M) {
	channeltest.Main()
	os.Exit(m.Run())
}

// newPool makes a pool of fake language workers.
func newPool(t testing.TB, language, mode string, change func(*channel.Options)) *channel.Pool {
	t.Helper()
	dir, err := channeltest.WriteConfig(t.TempDir(), language, mode, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := channel.ReadConfig(filepath.Join(dir, language))
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := channel.Options{
		Config: config, Server: server, AppDir: t.TempDir(), Env: map[string]string{"PATH": os.Getenv("PATH")},
		Emit: func(hostapi.LogLine) {}, Log: zerolog.Nop(),
	}
	if change != nil {
		change(&o)
	}
	p := channel.NewPool(o)
	t.Cleanup(func() { p.Stop(); server.Stop() })
	return p
}

// TestReplay lets recorded language workers talk to this host: it must take their messages as they came, and give
// back their answers field for field.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		language, file string
		functions      int
		invocations    int
		indexed        bool
	}{{"node", "node-v4", 6, 6, true}, {"python", "python-pyv2", 4, 2, true}, {"java", "java", 0, 3, false}} {
		t.Run(c.language, func(t *testing.T) {
			t.Parallel()
			file, err := filepath.Abs(filepath.Join("testdata", "transcripts", c.file+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			lines, err := channeltest.ReadTranscript(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newPool(t, c.language, "replay:"+file, nil)
			for _, step := range []func() error{func() error { return p.Spawn(t.Context()) }, func() error { return p.Init(t.Context()) }} {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			functions, useDefault, err := p.Index(t.Context())
			if err != nil || useDefault == c.indexed || len(functions) != c.functions {
				t.Fatalf("%d functions, default %v, %v", len(functions), useDefault, err)
			}
			if !c.indexed {
				functions = recordedFunctions(lines)
			}
			if err := p.Load(t.Context(), functions); err != nil {
				t.Fatal(err)
			}
			if n := invokeAll(t, p, functions, lines); n < c.invocations {
				t.Errorf("%d invocations", n)
			}
		})
	}
}

// recordedFunctions are those a host read from function.json files.
func recordedFunctions(lines []channeltest.Line) []*channel.Function {
	var list []*channel.Function
	for _, l := range lines {
		if r := l.Message.GetFunctionLoadRequest(); r != nil {
			f := channel.FromFunctionJSON("/", azfunc.Function{Name: r.GetMetadata().GetName()})
			f.ID = r.GetFunctionId()
			list = append(list, f)
		}
	}
	return list
}

// invokeAll sends the recorded requests and compares the answers, up to the first thing this host would not say.
func invokeAll(t *testing.T, p *channel.Pool, functions []*channel.Function, lines []channeltest.Line) int {
	t.Helper()
	byID := map[string]*channel.Function{}
	for _, f := range functions {
		byID[f.ID] = f
	}
	want := map[string]*rpcpb.InvocationResponse{}
	for _, l := range lines {
		if r := l.Message.GetInvocationResponse(); r != nil {
			want[r.GetInvocationId()] = r
		}
	}
	n := 0
	for _, l := range lines {
		if l.Kind == "worker_status_request" || l.Kind == "worker_warmup_request" {
			break
		}
		r := l.Message.GetInvocationRequest()
		if r == nil {
			continue
		}
		recorded := r.GetInvocationId()
		req := proto.CloneOf(r)
		req.InvocationId = uuid.NewString()
		got, err := p.Invoke(t.Context(), byID[r.GetFunctionId()], req, nil)
		if err != nil {
			t.Fatal(err)
		}
		got.InvocationId = recorded
		if diff := cmp.Diff(want[recorded], got, protocmp.Transform()); diff != "" {
			t.Errorf("invocation %d (-want +got):\n%s", n, diff)
		}
		n++
	}
	return n
}

func TestStopEndsTheProcess(t *testing.T) {
	t.Parallel()
	p := newPool(t, "node", "good", nil)
	if err := p.Spawn(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	p.Stop()
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
}
