package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// Run tests the databases that open makes; each call gets an empty one, which open closes when its test ends.
func Run(t *testing.T, open func(t testing.TB) *store.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, world){
		"users": testUsers, "roles": testRoles, "audit": testAudit,
		"subscriptions": testSubscriptions, "apps": testApps, "app versions": testAppVersions, "app uids": testAppUIDs,
		"delete app": testDeleteApp, "settings": testSettings, "settings race": testSettingsRace,
		"keys": testKeys, "key race": testKeyRace, "pages": testPages, "page tokens": testPageTokens,
		"packages": testPackages, "broken packages": testBrokenPackages, "package race": testPackageRace,
		"package reader": testPackageReader, "prune packages": testPrunePackages, "prune race": testPruneKeepsWhatIsAskedFor,
		"deployments": testDeployments, "deployment race": testDeploymentRace, "end race": testEndRace,
		"accept": testAccept, "accept is repeatable": testAcceptAgain, "redeploy": testRedeploy, "deployment logs": testDeploymentLogs,
		"phases": testPhases, "epoch": testEpoch, "epoch race": testEpochRace, "routes": testRoutes,
		"rollout apps": testRolloutApps, "prune revisions": testPruneRevisions, "recreated app": testRecreatedApp,
		"instances": testInstances, "triggers": testTriggers, "invocations": testInvocations, "logs": testLogs,
		"prune records": testPruneRecords, "occurrences": testOccurrences, "occurrence race": testOccurrenceRace,
		"leases": testLeases, "lease race": testLeaseRace, "changes": testChanges, "change topics": testChangeTopics,
		"cancelled": testCancelled, "sealer": testSealer, "scm settings": testSCMSettings,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, world{t, open(t)})
		})
	}
}

// world is a database under test and short words for what most tests begin with. Its methods end the test on errors.
type world struct {
	t  testing.TB
	db *store.DB
}

const (
	subscription = "11111111-2222-3333-4444-555555555555"
	group        = "Team-RG"
)

func (w world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// code ends the test unless err has the code.
func (w world) code(err error, want azfunc.Code) {
	w.t.Helper()
	if got := azfunc.CodeOf(err); got != want {
		w.t.Fatalf("the error has code %q, want %q: %v", got, want, err)
	}
}

func (w world) same(want, got any, opts ...cmp.Option) {
	w.t.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		w.t.Fatalf("difference (-want +got):\n%s", diff)
	}
}

func (w world) place() {
	w.t.Helper()
	w.ok(w.db.PutSubscription(w.t.Context(), store.Subscription{ID: subscription, Name: "Team"}))
	w.ok(w.db.PutResourceGroup(w.t.Context(), store.ResourceGroup{SubscriptionID: subscription, Name: group, Location: "here"}))
}

// app makes an app, with its place when it is the first.
func (w world) app(name string) store.App {
	w.t.Helper()
	w.place()
	a, err := w.db.CreateApp(w.t.Context(), store.App{
		Name: name, SubscriptionID: subscription, ResourceGroup: group, Location: "here", Kind: "functionapp",
		Tags: map[string]string{"team": "night"}, PublishPassword: "pw-" + name,
	})
	w.ok(err)
	return a
}

// content is a package's bytes of some size, different for every seed.
func content(seed, size int) (raw []byte, digest string) {
	raw = bytes.Repeat([]byte{byte(seed), byte(seed >> 8), 7}, size/3+1)[:size]
	sum := sha256.Sum256(raw)
	return raw, hex.EncodeToString(sum[:])
}

func (w world) putPackage(seed, size int) string {
	w.t.Helper()
	raw, digest := content(seed, size)
	w.ok(w.db.PutPackage(w.t.Context(), digest, int64(size), bytes.NewReader(raw)))
	return digest
}

const smallPackage = 100

// begin starts a deployment and accepts a small package that is different for every seed.
func (w world) begin(appID string, seed int) (store.Deployment, store.Revision) {
	w.t.Helper()
	digest := w.putPackage(seed, smallPackage)
	d, err := w.db.BeginDeployment(w.t.Context(), store.Deployment{AppID: appID, Deployer: "test"})
	w.ok(err)
	rev, err := w.db.AcceptDeployment(w.t.Context(), d.ID, store.AcceptInput{
		PackageSHA256: digest, PackageSize: smallPackage, Runtime: "node", Inputs: []byte(`{"seed":` + fmt.Sprint(seed) + `}`),
	})
	w.ok(err)
	return d, rev
}

// publish is begin and a successful end.
func (w world) publish(appID string, seed int) (store.Deployment, store.Revision) {
	w.t.Helper()
	d, rev := w.begin(appID, seed)
	w.ok(w.db.EndDeployment(w.t.Context(), d.ID, store.StatusSuccess, "done"))
	return d, rev
}

func (w world) epoch() int64 {
	w.t.Helper()
	epoch, err := w.db.TakeEpoch(w.t.Context(), "test")
	w.ok(err)
	return epoch
}

// setClock stops the database's clock; the returned function moves it on.
func (w world) setClock(at time.Time) (advance func(time.Duration)) {
	now := at
	w.db.Now = func() time.Time { return now }
	return func(d time.Duration) { now = now.Add(d) }
}

func noon() time.Time { return time.Date(2030, 1, 2, 12, 0, 0, 123456000, time.UTC) }

// all reads a listing to its end in pages of a few rows.
func all[T any](w world, limit int, read func(store.Page) ([]T, string, error)) []T {
	w.t.Helper()
	var rows []T
	for after := ""; ; {
		page, next, err := read(store.Page{Limit: limit, After: after})
		w.ok(err)
		if len(page) > limit {
			w.t.Fatalf("a page of %d rows was answered with %d", limit, len(page))
		}
		rows = append(rows, page...)
		if next == "" {
			return rows
		}
		after = next
	}
}
