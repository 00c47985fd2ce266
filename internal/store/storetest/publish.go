package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

const mebi = 1 << 20

func readerOf(raw []byte) io.Reader { return bytes.NewReader(raw) }

func (w world) has(digest string) bool {
	w.t.Helper()
	has, err := w.db.HasPackage(w.t.Context(), digest)
	w.ok(err)
	return has
}

func (w world) sameContent(digest string, want []byte) {
	w.t.Helper()
	r, err := w.db.OpenPackage(w.t.Context(), digest)
	w.ok(err)
	got, err := io.ReadAll(r)
	w.ok(err)
	w.ok(r.Close())
	if !bytes.Equal(want, got) {
		w.t.Fatalf("the package reads as %d bytes that are not the %d put in", len(got), len(want))
	}
}

func testPackages(t *testing.T, w world) {
	for i, size := range []int{0, 1, mebi - 1, mebi, mebi + 1, 3*mebi + 17} {
		raw, digest := content(i, size)
		w.same(false, w.has(digest))
		w.ok(w.db.PutPackage(t.Context(), digest, int64(size), iotest.HalfReader(readerOf(raw))))
		w.same(true, w.has(digest))
		w.sameContent(digest, raw)
		// There already: the content is not even read.
		w.ok(w.db.PutPackage(t.Context(), digest, int64(size), iotest.ErrReader(errors.New("read"))))
	}
	_, err := w.db.OpenPackage(t.Context(), "none")
	w.code(err, azfunc.NotFound)
}

// Whatever goes wrong, the package is not there, and the next attempt succeeds.
func testBrokenPackages(t *testing.T, w world) {
	raw, digest := content(1, 2*mebi+5)
	size := int64(len(raw))
	put := func(digest string, size int64, r io.Reader) error {
		return w.db.PutPackage(t.Context(), digest, size, r)
	}
	w.code(put("ABC", size, readerOf(raw)), azfunc.Invalid)
	w.code(put(digest[:63]+"x", size, readerOf(raw)), azfunc.Invalid)
	w.code(put(digest, size-1, readerOf(raw)), azfunc.Invalid)
	w.code(put(digest, size+1, readerOf(raw)), azfunc.Invalid)
	w.code(put(digest, size, readerOf(append([]byte{0}, raw[1:]...))), azfunc.Invalid)
	w.code(put(digest, size, io.MultiReader(readerOf(raw[:mebi+3]), iotest.ErrReader(io.ErrClosedPipe))), azfunc.Invalid)

	ctx, cancel := context.WithCancel(t.Context())
	broken := io.MultiReader(readerOf(raw[:mebi]), readerFunc(func([]byte) (int, error) { cancel(); return 0, ctx.Err() }))
	if err := w.db.PutPackage(ctx, digest, size, broken); !errors.Is(err, context.Canceled) {
		t.Fatalf("want the end of the context, got %v", err)
	}
	w.same(false, w.has(digest))
	w.ok(put(digest, size, readerOf(raw)))
	w.sameContent(digest, raw)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func testPackageReader(t *testing.T, w world) {
	raw, digest := content(3, 2*mebi+100)
	w.ok(w.db.PutPackage(t.Context(), digest, int64(len(raw)), readerOf(raw)))
	r, err := w.db.OpenPackage(t.Context(), digest)
	w.ok(err)
	w.same(int64(len(raw)), r.Size())
	for _, at := range []struct{ off, n int }{{0, 10}, {mebi - 5, 10}, {2*mebi + 90, 10}, {mebi, mebi}} {
		got := make([]byte, at.n)
		_, err := r.ReadAt(got, int64(at.off))
		w.ok(err)
		if !bytes.Equal(raw[at.off:at.off+at.n], got) {
			t.Errorf("%d bytes at %d differ", at.n, at.off)
		}
	}
	w.wins(racers, w.race("", func(racer int) error {
		got := make([]byte, 1000)
		for off := racer; off < len(raw)-1000; off += 100_000 {
			if _, err := r.ReadAt(got, int64(off)); err != nil {
				return err
			}
			if !bytes.Equal(raw[off:off+1000], got) {
				return fmt.Errorf("bytes at %d differ", off)
			}
		}
		return nil
	}))
	if _, err := r.ReadAt(make([]byte, 10), int64(len(raw)-5)); !errors.Is(err, io.EOF) {
		t.Errorf("reading over the end: want io.EOF, got %v", err)
	}
}

func testPrunePackages(t *testing.T, w world) {
	ctx := t.Context()
	advance := w.setClock(noon())
	a, b := w.app("app-a"), w.app("app-b")
	epoch := w.epoch()
	var digests []string
	for seed := range 6 {
		_, rev := w.publish(a.ID, seed)
		digests = append(digests, rev.PackageSHA256)
		w.ok(w.db.SetPhase(ctx, epoch, a.ID, rev.Number, store.PhaseStandby, ""))
		if seed != 1 { // one old revision stays live
			w.ok(w.db.SetPhase(ctx, epoch, a.ID, rev.Number, store.PhaseFailed, "test"))
		}
	}
	unused := w.putPackage(100, smallPackage)
	_, running := w.begin(b.ID, 101)
	prune := func(keep int) int {
		t.Helper()
		n, err := w.db.PrunePackages(ctx, keep)
		w.ok(err)
		return n
	}
	w.same(0, prune(2)) // all are young
	advance(2 * time.Hour)
	// Of a's six: 5 is active and desired, 4 is among the last two, 1 is live. The unused one goes.
	w.same(4, prune(2))
	for i, d := range digests {
		w.same(i == 1 || i >= 4, w.has(d))
	}
	w.same([]bool{false, true}, []bool{w.has(unused), w.has(running.PackageSHA256)})
	w.same(0, prune(0)) // having been asked for, all of them are young again
	advance(2 * time.Hour)
	w.same(1, prune(0)) // 4
	w.ok(w.db.DeleteApp(ctx, "app-a"))
	w.ok(w.db.DeleteApp(ctx, "app-b"))
	advance(2 * time.Hour)
	w.same(3, prune(5))
	w.same(false, w.has(running.PackageSHA256))
}

// A package that somebody was told is there stays long enough to be accepted.
func testPruneKeepsWhatIsAskedFor(t *testing.T, w world) {
	advance := w.setClock(noon())
	a := w.app("app-a")
	digest := w.putPackage(1, smallPackage)
	advance(59 * time.Minute)
	w.same(true, w.has(digest))
	advance(20 * time.Minute)
	n, err := w.db.PrunePackages(t.Context(), 0)
	w.ok(err)
	w.same(0, n)
	w.begin(a.ID, 1)
	advance(10 * time.Hour)
	n, err = w.db.PrunePackages(t.Context(), 0)
	w.ok(err)
	w.same(0, n)
}

func testDeployments(t *testing.T, w world) {
	ctx := t.Context()
	w.setClock(noon())
	a := w.app("deploy")
	_, err := w.db.LatestDeployment(ctx, a.ID)
	w.code(err, azfunc.NotFound)
	in := store.Deployment{AppID: a.ID, Status: store.StatusDeploying, StatusText: "t", Message: "m", Author: "au", AuthorEmail: "e", Deployer: "d", Progress: "p"}
	first, err := w.db.BeginDeployment(ctx, in)
	w.ok(err)
	in.ID, in.ReceivedAt, in.StartedAt = first.ID, noon(), noon()
	w.same(in, first)
	stored, err := w.db.Deployment(ctx, a.ID, first.ID)
	w.ok(err)
	w.same(first, stored)
	_, err = w.db.BeginDeployment(ctx, store.Deployment{AppID: a.ID})
	w.code(err, azfunc.Conflict)
	w.same("a deployment of app \"deploy\" is in progress: "+first.ID, err.Error())
	_, err = w.db.BeginDeployment(ctx, store.Deployment{AppID: "none"})
	w.code(err, azfunc.NotFound)

	w.ok(w.db.UpdateDeployment(ctx, first.ID, store.StatusPending, "text", "half"))
	w.code(w.db.UpdateDeployment(ctx, first.ID, store.StatusSuccess, "", ""), azfunc.Invalid)
	w.code(w.db.UpdateDeployment(ctx, "none", store.StatusPending, "", ""), azfunc.NotFound)
	w.code(w.db.EndDeployment(ctx, first.ID, store.StatusDeploying, ""), azfunc.Invalid)
	w.code(w.db.EndDeployment(ctx, "none", store.StatusFailed, ""), azfunc.NotFound)
	w.ok(w.db.EndDeployment(ctx, first.ID, store.StatusFailed, "why"))
	w.ok(w.db.EndDeployment(ctx, first.ID, store.StatusSuccess, "too late"))
	w.code(w.db.UpdateDeployment(ctx, first.ID, store.StatusPending, "", ""), azfunc.Conflict)
	stored, err = w.db.Deployment(ctx, a.ID, first.ID)
	w.ok(err)
	w.same([]any{store.StatusFailed, "why", false, noon()}, []any{stored.Status, stored.StatusText, stored.Active, stored.EndedAt})

	second, _ := w.publish(a.ID, 1)
	third, _ := w.publish(a.ID, 2)
	fourth, _ := w.begin(a.ID, 3)
	w.ok(w.db.EndDeployment(ctx, fourth.ID, store.StatusFailed, ""))
	var ids []string
	var active []bool
	for _, d := range all(w, 2, func(p store.Page) ([]store.Deployment, string, error) { return w.db.Deployments(ctx, a.ID, p) }) {
		ids, active = append(ids, d.ID), append(active, d.Active)
	}
	w.same([]string{fourth.ID, third.ID, second.ID, first.ID}, ids)
	w.same([]bool{false, true, false, false}, active)
	latest, err := w.db.LatestDeployment(ctx, a.ID)
	w.ok(err)
	w.same(fourth.ID, latest.ID)
	other := w.app("other")
	_, err = w.db.Deployment(ctx, other.ID, first.ID)
	w.code(err, azfunc.NotFound)
	w.begin(other.ID, 1)
	open, err := w.db.UnfinishedDeployments(ctx)
	w.ok(err)
	w.same([]string{other.ID}, []string{open[0].AppID})
}

func testAccept(t *testing.T, w world) {
	ctx := t.Context()
	w.setClock(noon())
	a := w.app("accept")
	_, _, err := w.db.ReplaceSettings(ctx, a.ID, map[string]string{"A": "1"}, 0, true)
	w.ok(err)
	d, rev := w.begin(a.ID, 1)
	_, digest := content(1, smallPackage)
	want := store.Revision{
		AppID: a.ID, Number: 1, PackageSHA256: digest, PackageSize: smallPackage, Runtime: "node",
		Settings: map[string]string{"A": "1"}, Inputs: []byte(`{"seed":1}`), DeploymentID: d.ID, Phase: store.PhasePending,
		CreatedAt: noon(), PhaseAt: noon(),
	}
	w.same(want, rev)
	stored, err := w.db.Revision(ctx, a.ID, 1)
	w.ok(err)
	w.same(want, stored)
	listed, err := w.db.Revisions(ctx, a.ID, true)
	w.ok(err)
	w.same([]store.Revision{want}, listed, cmpopts.IgnoreFields(store.Revision{}, "Settings"))
	if listed[0].Settings != nil {
		t.Error("a listing of revisions shows settings")
	}
	app, err := w.db.AppByID(ctx, a.ID)
	w.ok(err)
	w.same(int64(1), app.DesiredRevision)
	got, err := w.db.Deployment(ctx, a.ID, d.ID)
	w.ok(err)
	w.same([]any{digest, int64(1), store.StatusPending}, []any{got.PackageSHA256, got.Revision, got.Status})
}

func testAcceptAgain(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("accept")
	d, rev := w.begin(a.ID, 1)
	in := store.AcceptInput{PackageSHA256: rev.PackageSHA256, PackageSize: smallPackage, Runtime: "node"}
	again, err := w.db.AcceptDeployment(ctx, d.ID, in)
	w.ok(err)
	w.same(rev, again)
	other := in
	other.PackageSHA256 = w.putPackage(2, smallPackage)
	_, err = w.db.AcceptDeployment(ctx, d.ID, other)
	w.code(err, azfunc.Conflict)
	_, err = w.db.AcceptDeployment(ctx, "none", in)
	w.code(err, azfunc.NotFound)
	w.ok(w.db.EndDeployment(ctx, d.ID, store.StatusFailed, ""))

	for name, wrong := range map[string]store.AcceptInput{
		"no package": {PackageSHA256: "none"},
		"wrong size": {PackageSHA256: rev.PackageSHA256, PackageSize: 1},
	} {
		d, err := w.db.BeginDeployment(ctx, store.Deployment{AppID: a.ID})
		w.ok(err)
		if _, err := w.db.AcceptDeployment(ctx, d.ID, wrong); err == nil {
			t.Errorf("%s was accepted", name)
		}
		w.ok(w.db.EndDeployment(ctx, d.ID, store.StatusFailed, ""))
		_, err = w.db.AcceptDeployment(ctx, d.ID, in)
		w.code(err, azfunc.Conflict)
	}
	app, err := w.db.AppByID(ctx, a.ID)
	w.ok(err)
	w.same(int64(1), app.DesiredRevision)
}

func testRedeploy(t *testing.T, w world) {
	ctx := t.Context()
	advance := w.setClock(noon())
	a, other := w.app("redeploy"), w.app("other")
	old, first := w.publish(a.ID, 1)
	w.publish(a.ID, 2)
	_, _, err := w.db.ReplaceSettings(ctx, a.ID, map[string]string{"TODAY": "yes"}, 0, true)
	w.ok(err)

	d, rev, err := w.db.Redeploy(ctx, old.ID, store.Deployment{AppID: a.ID, Message: "back"})
	w.ok(err)
	w.same([]any{first.PackageSHA256, "node", string(first.Inputs), map[string]string{"TODAY": "yes"}, d.ID, int64(4)},
		[]any{rev.PackageSHA256, rev.Runtime, string(rev.Inputs), rev.Settings, rev.DeploymentID, rev.Number})
	stored, err := w.db.Deployment(ctx, a.ID, d.ID)
	w.ok(err)
	w.same(d, stored)
	_, _, err = w.db.Redeploy(ctx, old.ID, store.Deployment{AppID: a.ID})
	w.code(err, azfunc.Conflict)
	w.ok(w.db.EndDeployment(ctx, d.ID, store.StatusSuccess, ""))

	_, _, err = w.db.Redeploy(ctx, old.ID, store.Deployment{AppID: other.ID})
	w.code(err, azfunc.NotFound)
	_, _, err = w.db.Redeploy(ctx, "none", store.Deployment{AppID: a.ID})
	w.code(err, azfunc.NotFound)
	refused, err := w.db.BeginDeployment(ctx, store.Deployment{AppID: a.ID})
	w.ok(err)
	w.ok(w.db.EndDeployment(ctx, refused.ID, store.StatusFailed, "no package"))
	_, _, err = w.db.Redeploy(ctx, refused.ID, store.Deployment{AppID: a.ID})
	w.code(err, azfunc.Conflict)
	open, err := w.db.UnfinishedDeployments(ctx)
	w.ok(err)
	w.same(0, len(open)) // a refused redeployment leaves nothing behind

	w.publish(a.ID, 3)
	epoch := w.epoch()
	for _, r := range []int64{1, 2, 3, 4} {
		w.ok(w.db.SetPhase(ctx, epoch, a.ID, r, store.PhaseSuperseded, ""))
	}
	advance(2 * time.Hour)
	_, err = w.db.PrunePackages(ctx, 1)
	w.ok(err)
	_, _, err = w.db.Redeploy(ctx, old.ID, store.Deployment{AppID: a.ID})
	w.code(err, azfunc.NotFound)
}

func testDeploymentLogs(t *testing.T, w world) {
	ctx := t.Context()
	w.setClock(noon())
	a := w.app("logs")
	d, _ := w.begin(a.ID, 1)
	for i := range 5 {
		w.ok(w.db.AppendDeploymentLog(ctx, d.ID, i%3, fmt.Sprint(i)))
	}
	w.ok(w.db.EndDeployment(ctx, d.ID, store.StatusSuccess, "", store.DeploymentLog{Message: "5"}, store.DeploymentLog{Message: "6", Type: 2, At: noon().Add(time.Hour)}))
	text := ""
	for _, l := range all(w, 2, func(p store.Page) ([]store.DeploymentLog, string, error) { return w.db.DeploymentLogs(ctx, d.ID, p) }) {
		text += fmt.Sprintf("%s:%d:%s ", l.Message, l.Type, l.At.Format("15"))
	}
	w.same("0:0:12 1:1:12 2:2:12 3:0:12 4:1:12 5:0:12 6:2:13 ", text)
	w.code(w.db.AppendDeploymentLog(ctx, "none", 0, ""), azfunc.NotFound)
}
