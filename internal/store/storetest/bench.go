package storetest

import (
	"fmt"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/store"
)

// Bench measures the writes and reads that everything waits for.
func Bench(b *testing.B, open func(t testing.TB) *store.DB) {
	b.Helper()
	b.Run("publish", func(b *testing.B) { // begin, accept and end: three transactions
		w := world{b, open(b)}
		a := w.app("bench")
		digest := w.putPackage(1, smallPackage)
		for b.Loop() {
			d, err := w.db.BeginDeployment(b.Context(), store.Deployment{AppID: a.ID})
			w.ok(err)
			_, err = w.db.AcceptDeployment(b.Context(), d.ID, store.AcceptInput{PackageSHA256: digest, PackageSize: smallPackage})
			w.ok(err)
			w.ok(w.db.EndDeployment(b.Context(), d.ID, store.StatusSuccess, ""))
		}
	})
	b.Run("put instance", func(b *testing.B) {
		w := world{b, open(b)}
		a := w.app("bench")
		for b.Loop() {
			w.ok(w.db.PutInstance(b.Context(), store.Instance{ID: "i", AppID: a.ID, State: "active", Report: []byte(`{"inFlight":1}`)}))
		}
	})
	b.Run("app and keys", func(b *testing.B) {
		w := world{b, open(b)}
		a := w.app("bench")
		for i := range 10 {
			_, err := w.db.PutKey(b.Context(), a.ID, store.Key{Kind: "host", Name: fmt.Sprint(i), Value: "value"})
			w.ok(err)
		}
		for b.Loop() {
			_, err := w.db.App(b.Context(), "bench")
			w.ok(err)
			_, err = w.db.Keys(b.Context(), a.ID)
			w.ok(err)
		}
	})
	b.Run("put package 16 MiB", func(b *testing.B) {
		w := world{b, open(b)}
		const size = 16 << 20
		b.SetBytes(size)
		for seed := 0; b.Loop(); seed++ {
			w.putPackage(seed, size)
		}
	})
	b.Run("invocations 100", func(b *testing.B) {
		w := world{b, open(b)}
		a := w.app("bench")
		for n := 0; b.Loop(); n++ {
			batch := make([]store.Invocation, 100)
			for i := range batch {
				batch[i] = store.Invocation{ID: fmt.Sprintf("%d-%d", n, i), AppID: a.ID, Function: "F", Started: noon()}
			}
			w.ok(w.db.AddInvocations(b.Context(), batch))
		}
	})
}
