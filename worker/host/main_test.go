package host_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/hostapi/client"
	"github.com/nightshift-functions/nightshift/internal/hostapi/hostapitest"
	"github.com/nightshift-functions/nightshift/internal/requesttoken"
	"github.com/nightshift-functions/nightshift/worker/channel/channeltest"
	"github.com/nightshift-functions/nightshift/worker/host"
)

func TestMain(m *testing.M) {
	channeltest.Main()
	handlerMain()
	os.Exit(m.Run())
}

// patient is how long tests wait for what must happen; it is long because machines are slow, not because we are.
const patient = 30 * time.Second

// instance is a host under test with its manager.
type instance struct {
	*hostapitest.Manager
	t      testing.TB
	url    string
	signer *requesttoken.Signer
	stop   context.CancelFunc
	result chan error
	work   string
	host   *host.Host
}

// options are what tests vary.
type options struct {
	files     map[string]string
	zip       []byte
	runtime   string
	languages string
	mode      string         // of the fake language worker
	process   map[string]any // processOptions of the fake language worker
	settings  map[string]string
	limits    hostapi.Limits
	phase     hostapi.Phase
	before    func(*hostapitest.Manager)
	change    func(*host.Config)
}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const hostJSON = `{"version":"2.0"}`

// fakeApp is content that a node app may have; the fake language worker does not look at it.
func fakeApp() map[string]string {
	return map[string]string{
		"host.json": hostJSON, "package.json": `{"main":"app.js","dependencies":{"@azure/functions":"^4.0.0"}}`, "app.js": "//",
		"node_modules/@azure/functions/package.json": `{"name":"@azure/functions","version":"4.16.5","main":"index.js"}`,
		"node_modules/@azure/functions/index.js":     "//",
	}
}

// launch runs a host until the test's end.
func launch(t testing.TB, o options) *instance {
	t.Helper()
	if o.zip == nil {
		if o.files == nil {
			o.files = fakeApp()
		}
		o.zip = zipOf(t, o.files)
	}
	if o.runtime == "" {
		o.runtime = "node"
	}
	if o.languages == "" {
		dir, err := channeltest.WriteConfig(t.TempDir(), o.runtime, orDefault(o.mode, "good"), o.process)
		if err != nil {
			t.Fatal(err)
		}
		o.languages = dir
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{Manager: hostapitest.Start(t), t: t, signer: requesttoken.NewSigner(key, time.Now), result: make(chan error, 1), work: t.TempDir()}
	i.Token = "identity-of-the-instance"
	identity := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(identity, []byte(i.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{"Schedule": "0 0 0 1 1 *", "FUNCTIONS_WORKER_RUNTIME": o.runtime, "AzureWebJobs.off.Disabled": "true"}
	for name, v := range o.settings {
		settings[name] = v
	}
	i.SetApp(hostapi.App{
		Spec: hostapi.Spec{
			App: "hello", Revision: 3, HostID: "hello", Package: i.AddPackage(o.zip), Settings: settings, Runtime: o.runtime,
			Limits: o.limits, PublicURL: "http://localhost:7081/hello",
		},
		Live: hostapi.Live{
			Phase: hostapi.Phase(orDefault(string(o.phase), string(hostapi.Standby))), GatewayKeys: []string{i.signer.PublicKey()},
			Keys: hostapi.Keys{
				Master: []hostapi.KeyHash{{Name: "_master", Hash: hash("the-master-key")}},
				Host:   []hostapi.KeyHash{{Name: "default", Hash: hash("the-host-key")}},
				Functions: map[string][]hostapi.KeyHash{
					"secret": {{Name: "default", Hash: hash("the-secret-key")}},
					"hello":  {{Name: "default", Hash: hash("the-hello-key")}},
				},
			},
		},
	})
	if o.before != nil {
		o.before(i.Manager)
	}
	link, err := client.New(client.Config{BaseURL: i.URL, IdentityFile: identity})
	if err != nil {
		t.Fatal(err)
	}
	cfg := host.Config{
		App: "hello", Revision: 3, InstanceID: "i-1", Version: "test", Listen: "127.0.0.1:0", WorkDir: i.work, LanguagesDir: o.languages,
		Base: map[string]string{"PATH": os.Getenv("PATH")}, Link: link, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
	}
	if o.change != nil {
		o.change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	i.stop = cancel
	i.host = host.New(cfg)
	go func() { i.result <- i.host.Run(ctx) }()
	t.Cleanup(func() { i.end() })
	return i
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// up waits until the instance serves.
func (i *instance) up(state hostapi.InstanceState) hostapi.InstanceReport {
	i.t.Helper()
	r := i.AwaitState(i.t, state, patient)
	i.url = "http://" + r.Address
	return r
}

// end stops the host and returns what Run returned; again and again the same.
func (i *instance) end() error {
	i.t.Helper()
	i.stop()
	return i.wait()
}

func (i *instance) wait() error {
	i.t.Helper()
	timer := time.NewTimer(patient)
	defer timer.Stop()
	select {
	case err := <-i.result:
		i.result <- err
		return err
	case <-timer.C:
		i.t.Error("the host did not end")
		return nil
	}
}

// answer is an HTTP answer, read.
type answer struct {
	status int
	header http.Header
	body   string
}

// call makes a request with a request token; headers are name, value pairs, and an empty value leaves one out.
func (i *instance) call(method, path, body string, headers ...string) answer {
	i.t.Helper()
	a, err := i.try(method, path, body, headers...)
	if err != nil {
		i.t.Fatal(err)
	}
	return a
}

func (i *instance) try(method, path, body string, headers ...string) (answer, error) {
	return i.send(method, path, strings.NewReader(body), headers...)
}

func (i *instance) send(method, path string, body io.Reader, headers ...string) (answer, error) {
	token, err := i.signer.Token("hello")
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(context.Background(), method, i.url+path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set(hostapi.HeaderRequestToken, token)
	for n := 0; n+1 < len(headers); n += 2 {
		if headers[n+1] == "" {
			req.Header.Del(headers[n])
		} else {
			req.Header.Set(headers[n], headers[n+1])
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(raw)}, err
}

// languages returns the folder of the language workers that the project ships; tests that need one are skipped when it
// or its runtime is missing.
func languages(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../../languages")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node", "node_modules", "@azure", "functions")); err != nil {
		t.Skip("run npm install in languages/node for this test")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("put node on the PATH for this test")
	}
	return dir
}
