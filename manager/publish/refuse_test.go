package publish_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/publish"
)

func with(files map[string]string, name, content string) map[string]string {
	files[name] = content
	return files
}

// What cannot run is refused with its reason, in the answer and in the deployment's log, sync and async alike.
func TestRefusedContent(t *testing.T) {
	t.Parallel()
	nested := map[string]string{}
	for name, content := range goodApp() {
		nested["app/"+name] = content
	}
	tests := map[string]struct {
		body []byte
		part string
	}{
		"not a zip":         {[]byte("hello"), "not a zip"},
		"nothing":           {nil, "empty"},
		"gzip":              {[]byte("\x1f\x8b\x08\x00aaaaaaaa"), "gzip"},
		"cut off":           {zipOf(t, goodApp())[:200], "damaged"},
		"no function":       {zipOf(t, map[string]string{"a.txt": "a"}), "no function"},
		"folder zipped":     {zipOf(t, nested), "app"},
		"wrong runtime":     {zipOf(t, map[string]string{"host.json": `{"version":"2.0"}`, "hello/function.json": `{"scriptFile":"run.py","bindings":[{"type":"httpTrigger","direction":"in","name":"req"}]}`, "hello/run.py": "def main(req): pass"}), "python"},
		"out of the folder": {zipOf(t, with(goodApp(), "../../evil.txt", "x")), "evil.txt"},
		"damaged content":   {damaged(t), "hello/index.js"},
		"a reference":       {[]byte(`{"packageUri":"https://x/y.zip"}`), "JSON"},
	}
	for name, tt := range tests {
		for _, query := range []string{"", "?isAsync=true"} {
			t.Run(name+query, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				got := r.do(t, http.MethodPost, "/api/zipdeploy"+query, bytes.NewReader(tt.body)).want(t, http.StatusBadRequest, `"Message":`, tt.part)
				d := r.latest(t)
				if d.Status != store.StatusFailed || d.Revision != 0 || d.ID != got.header.Get("SCM-DEPLOYMENT-ID") {
					t.Errorf("deployment %+v", d)
				}
				if text := r.log(t, d.ID); !strings.Contains(text, tt.part) {
					t.Errorf("log lacks %q:\n%s", tt.part, text)
				}
				r.nothingLeft(t)
				r.do(t, http.MethodPost, "/api/zipdeploy/validate", bytes.NewReader(tt.body)).
					want(t, http.StatusBadRequest, `"result":"ZipDeploy Validation ERROR: `, tt.part)
				r.nothingLeft(t)
				// The app is free again.
				r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
			})
		}
	}
}

// damaged is a zip whose directory is whole while a file's bytes are not.
func damaged(t *testing.T) []byte {
	t.Helper()
	raw := zipOf(t, with(goodApp(), "hello/index.js", strings.Repeat("module.exports = async () => 1;", 50)))
	i := bytes.Index(raw, []byte("hello/index.js")) + len("hello/index.js") + 20
	raw[i] ^= 0xff
	return raw
}

func (r *rig) nothingLeft(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(r.cfg.IncomingDir, "*"))
	ok(t, err)
	if len(left) != 0 {
		t.Errorf("left in the incoming folder: %v", left)
	}
}

func TestValidateGood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(t, http.MethodPost, "/api/zipdeploy/validate", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusOK, `{"result":""}`)
	if _, err := r.db.LatestDeployment(t.Context(), r.app.ID); err == nil {
		t.Error("validating made a deployment")
	}
}

func TestPackageURI(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(t, http.MethodPost, "/api/zipdeploy", strings.NewReader(`{"packageUri":"http://127.0.0.1:1/a.zip"}`), "Content-Type", "application/json").
		want(t, http.StatusBadRequest, "not supported in this release", "upload the zip")
	// A zip is a zip, whatever type a client gives it.
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp())), "Content-Type", "application/json").
		want(t, http.StatusAccepted)
}

// While one publish is under way, the next is told so at once, as plain text, even in the middle of a large body.
func TestBusy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	up := newUpload(t, r, "/api/zipdeploy?isAsync=true")
	up.write(t, []byte("PK\x03\x04"))
	r.eventually(t, "a deployment that receives", func() bool {
		d, err := r.db.LatestDeployment(t.Context(), r.app.ID)
		return err == nil && d.Status == store.StatusPending
	})
	r.do(t, http.MethodGet, "/api/deployments/latest", nil).want(t, http.StatusAccepted, `"status":0`)
	started := time.Now()
	got := r.sendFirst(t, basic("$"+appName, password)).want(t, http.StatusConflict, "deployment currently in progress")
	if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
		t.Errorf("type %q", kind)
	}
	if took := time.Since(started); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
	r.do(t, http.MethodPut, "/api/deployments/"+r.latest(t).ID, nil).want(t, http.StatusConflict)
	up.finish(t, []byte("rest"))
	if got := <-up.answer; got.status != http.StatusBadRequest {
		t.Errorf("the first ended with %d %s", got.status, got.body)
	}
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
}

// Of many at once exactly one gets through.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	package1 := zipOf(t, goodApp())
	answers := make(chan int)
	for range 6 {
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url("/api/zipdeploy?isAsync=true"), bytes.NewReader(package1))
			if err != nil {
				answers <- 0
				return
			}
			req.SetBasicAuth("$"+appName, password)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				answers <- 0
				return
			}
			_ = resp.Body.Close()
			answers <- resp.StatusCode
		}()
	}
	count := map[int]int{}
	for range 6 {
		count[<-answers]++
	}
	if count[http.StatusAccepted] != 1 || count[http.StatusConflict] != 5 {
		t.Errorf("answers %v", count)
	}
}

// upload is a publish whose body the test writes piece by piece.
type upload struct {
	w      *io.PipeWriter
	cancel context.CancelFunc
	answer chan response
}

func newUpload(t *testing.T, r *rig, path string) *upload {
	t.Helper()
	body, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url(path), body)
	ok(t, err)
	req.SetBasicAuth("$"+appName, password)
	up := &upload{w: w, cancel: cancel, answer: make(chan response, 1)}
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			up.answer <- response{body: []byte(err.Error())}
			return
		}
		defer func() { _ = resp.Body.Close() }()
		raw, _ := io.ReadAll(resp.Body)
		up.answer <- response{resp.StatusCode, resp.Header, raw}
	}()
	return up
}

func (u *upload) write(t *testing.T, p []byte) {
	t.Helper()
	_, err := u.w.Write(p)
	ok(t, err)
}

func (u *upload) finish(t *testing.T, p []byte) {
	t.Helper()
	u.write(t, p)
	ok(t, u.w.Close())
}

// failedWith waits for the newest deployment to end as Failed for the reason.
func (r *rig) failedWith(t *testing.T, reason string) {
	t.Helper()
	r.eventually(t, "a failed deployment", func() bool {
		d, err := r.db.LatestDeployment(t.Context(), r.app.ID)
		return err == nil && d.Status == store.StatusFailed && strings.Contains(d.StatusText, reason)
	})
	r.nothingLeft(t)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	up := newUpload(t, r, "/api/zipdeploy")
	up.write(t, zipOf(t, goodApp())[:100])
	r.eventually(t, "a deployment", func() bool { _, err := r.db.LatestDeployment(t.Context(), r.app.ID); return err == nil })
	up.cancel()
	r.failedWith(t, "upload interrupted")
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
}

func TestStalledUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t, withConfig(func(c *publish.Config) { c.StallTimeout = 100 * time.Millisecond }))
	up := newUpload(t, r, "/api/zipdeploy")
	up.write(t, []byte("PK\x03\x04"))
	r.failedWith(t, "nothing more came")
}

func TestOversize(t *testing.T) {
	t.Parallel()
	r := newRig(t, withConfig(func(c *publish.Config) { c.MaxPackageBytes = 1 << 20 }))
	large := make([]byte, 1<<20+1)
	r.do(t, http.MethodPost, "/api/zipdeploy", bytes.NewReader(large)).want(t, http.StatusRequestEntityTooLarge, "larger than 1 MiB")
	if _, err := r.db.LatestDeployment(t.Context(), r.app.ID); err == nil {
		t.Error("a body that says it is too large began a deployment")
	}
	// One that does not say so is noticed on the way.
	r.do(t, http.MethodPost, "/api/zipdeploy", chunked(large)).want(t, http.StatusRequestEntityTooLarge, "larger than 1 MiB")
	r.failedWith(t, "larger than 1 MiB")
	r.do(t, http.MethodPost, "/api/zipdeploy/validate", chunked(large)).want(t, http.StatusRequestEntityTooLarge)
	r.nothingLeft(t)
}

// A synchronous publish tells how the rollout ended, and does not wait for ever.
func TestSynchronous(t *testing.T) {
	t.Parallel()
	t.Run("failed", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.rollout(t, store.StatusFailed, "the entry point throws")
		r.do(t, http.MethodPost, "/api/zipdeploy", bytes.NewReader(zipOf(t, goodApp()))).
			want(t, http.StatusInternalServerError, `"Message":"the entry point throws"`, `"status":3`)
	})
	t.Run("longer than an upload may stand still", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, withConfig(func(c *publish.Config) { c.StallTimeout = 50 * time.Millisecond }))
		up := newUpload(t, r, "/api/zipdeploy")
		up.finish(t, zipOf(t, goodApp()))
		r.eventually(t, "an accepted package", func() bool { return r.desired(t) == 1 })
		<-time.After(300 * time.Millisecond)
		ok(t, r.db.EndDeployment(t.Context(), r.latest(t).ID, store.StatusSuccess, "live"))
		if got := <-up.answer; got.status != http.StatusOK {
			t.Errorf("answered %d %s", got.status, got.body)
		}
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, withConfig(func(c *publish.Config) { c.RolloutWait = 50 * time.Millisecond }))
		got := r.do(t, http.MethodPost, "/api/zipdeploy", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted, `"status":2`)
		if got.header.Get("Location") == "" {
			t.Error("no Location to go on with")
		}
	})
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, withConfig(func(c *publish.Config) { c.RolloutWait = time.Minute }))
		up := newUpload(t, r, "/api/zipdeploy")
		up.finish(t, zipOf(t, goodApp()))
		r.eventually(t, "an accepted package", func() bool { return r.desired(t) == 1 })
		r.svc.Stop()
		if got := <-up.answer; got.status != http.StatusAccepted {
			t.Errorf("answered %d %s", got.status, got.body)
		}
	})
}

func (r *rig) desired(t *testing.T) int64 {
	t.Helper()
	app, err := r.db.AppByID(t.Context(), r.app.ID)
	ok(t, err)
	return app.DesiredRevision
}

// A client that hangs up after the last byte has published.
func TestHangUpAfterUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body := zipOf(t, goodApp())
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.server.Listener.Addr().String())
	ok(t, err)
	req := request(t, http.MethodPost, r.url("/api/zipdeploy"), bytes.NewReader(body))
	req.SetBasicAuth("$"+appName, password)
	ok(t, req.Write(conn))
	ok(t, conn.Close())
	r.eventually(t, "the revision", func() bool { return r.desired(t) == 1 })
	if d := r.latest(t); d.Complete() {
		t.Errorf("the deployment ended: %+v", d)
	}
}

func TestRedeploy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.rollout(t, store.StatusSuccess, "live")
	var first, again deployed
	r.do(t, http.MethodPost, "/api/zipdeploy?message=one", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusOK).decode(t, &first)
	r.do(t, http.MethodPost, "/api/zipdeploy", bytes.NewReader(zipOf(t, with(goodApp(), "x.txt", "2")))).want(t, http.StatusOK)
	r.do(t, http.MethodPut, "/api/deployments/"+first.ID, nil).want(t, http.StatusOK).decode(t, &again)
	if again.ID == first.ID || again.Status != 4 || !again.Active || !strings.Contains(again.Message, "one") {
		t.Errorf("redeployed as %+v", again)
	}
	one, err := r.db.Revision(t.Context(), r.app.ID, 1)
	ok(t, err)
	three, err := r.db.Revision(t.Context(), r.app.ID, 3)
	ok(t, err)
	if one.PackageSHA256 != three.PackageSHA256 || r.desired(t) != 3 {
		t.Errorf("desired %d with package %s, want %s", r.desired(t), three.PackageSHA256, one.PackageSHA256)
	}
	r.do(t, http.MethodPut, "/api/deployments/nope", nil).want(t, http.StatusNotFound)
	r.do(t, http.MethodPut, "/api/deployments/"+first.ID, strings.NewReader(`{"status":4,"message":"m"}`)).want(t, http.StatusNotImplemented)
	r.do(t, http.MethodPut, "/api/deployments/"+first.ID, strings.NewReader(`{`)).want(t, http.StatusBadRequest)
}

// The bytes of a deployment are lost with the process that received them; what was accepted is not.
func TestRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := r.createApp(t, "other")
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
	begun, err := r.db.BeginDeployment(t.Context(), store.Deployment{AppID: other.ID})
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(r.cfg.IncomingDir, "upload-123.zip"), []byte("half"), 0o600))
	again, err := publish.New(r.cfg, r.db, r.guard, zerolog.Nop())
	ok(t, err)
	ok(t, again.EndInterrupted(t.Context()))
	if d := r.latest(t); d.Complete() {
		t.Errorf("an accepted deployment was ended: %+v", d)
	}
	lost, err := r.db.Deployment(t.Context(), other.ID, begun.ID)
	ok(t, err)
	if lost.Status != store.StatusFailed || lost.StatusText != "the manager was restarted while receiving; publish again" {
		t.Errorf("an interrupted deployment stands at %+v", lost)
	}
	r.nothingLeft(t)
}
