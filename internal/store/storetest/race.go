package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

const racers = 8

// race runs do in several goroutines that start together and returns how often it went well; every failure must have
// the code.
func (w world) race(code azfunc.Code, do func(racer int) error) int {
	w.t.Helper()
	var (
		start sync.WaitGroup
		end   sync.WaitGroup
		won   atomic.Int64
	)
	start.Add(1)
	for i := range racers {
		end.Go(func() {
			start.Wait()
			switch err := do(i); {
			case err == nil:
				won.Add(1)
			case azfunc.CodeOf(err) != code:
				w.t.Errorf("racer %d: want nil or %s, got %v", i, code, err)
			}
		})
	}
	start.Done()
	end.Wait()
	return int(won.Load())
}

func (w world) wins(want, got int) {
	w.t.Helper()
	if got != want {
		w.t.Fatalf("%d racers won, want %d", got, want)
	}
}

// Each racer adds its own setting by reading, changing and writing with the version it read. None may be lost.
func testSettingsRace(t *testing.T, w world) {
	a := w.app("race")
	_, first := w.publish(a.ID, 1)
	const rounds = 5
	w.wins(racers, w.race("", func(racer int) error {
		for round := range rounds {
			for {
				values, version, err := w.db.Settings(t.Context(), a.ID)
				if err != nil {
					return err
				}
				values[fmt.Sprintf("s%d-%d", racer, round)] = "x"
				_, _, err = w.db.ReplaceSettings(t.Context(), a.ID, values, version, true)
				if err == nil {
					break
				}
				if azfunc.CodeOf(err) != azfunc.Conflict {
					return err
				}
			}
		}
		return nil
	}))
	values, version, err := w.db.Settings(t.Context(), a.ID)
	w.ok(err)
	w.same(racers*rounds, len(values))
	w.same(int64(1+racers*rounds), version)
	last, err := w.db.AppByID(t.Context(), a.ID)
	w.ok(err)
	w.same(first.Number+racers*rounds, last.DesiredRevision)
	rev, err := w.db.Revision(t.Context(), a.ID, last.DesiredRevision)
	w.ok(err)
	w.same(values, rev.Settings)
}

// All racers ensure the same keys; each key is added once, and all see the same value afterwards.
func testKeyRace(t *testing.T, w world) {
	a := w.app("race")
	var added atomic.Int64
	w.wins(racers, w.race("", func(racer int) error {
		n, err := w.db.EnsureKeys(t.Context(), a.ID, []store.Key{
			{Kind: "host", Name: "default", Value: fmt.Sprintf("host of %d", racer)},
			{Kind: "function", Function: "Hello", Name: "default", Value: fmt.Sprintf("function of %d", racer)},
		})
		added.Add(int64(n))
		return err
	}))
	w.same(int64(2), added.Load())
	keys, err := w.db.Keys(t.Context(), a.ID)
	w.ok(err)
	w.same(2, len(keys))
}

func testDeploymentRace(t *testing.T, w world) {
	a := w.app("race")
	w.wins(1, w.race(azfunc.Conflict, func(int) error {
		_, err := w.db.BeginDeployment(t.Context(), store.Deployment{AppID: a.ID})
		return err
	}))
	open, err := w.db.UnfinishedDeployments(t.Context())
	w.ok(err)
	w.same(1, len(open))
}

// The first end wins; the later ones are no errors and change nothing, not even the log.
func testEndRace(t *testing.T, w world) {
	a := w.app("race")
	d, _ := w.begin(a.ID, 1)
	w.wins(racers, w.race("", func(racer int) error {
		return w.db.EndDeployment(t.Context(), d.ID, store.StatusSuccess, fmt.Sprint(racer), store.DeploymentLog{Message: fmt.Sprint(racer)})
	}))
	ended, err := w.db.Deployment(t.Context(), a.ID, d.ID)
	w.ok(err)
	logs, _, err := w.db.DeploymentLogs(t.Context(), d.ID, store.Page{})
	w.ok(err)
	w.same(1, len(logs))
	w.same(ended.StatusText, logs[0].Message)
}

// Leaders take over from each other while all of them write. A write that went well was made in the newest epoch of
// its moment: the phase never moves for an old one.
func testEpochRace(t *testing.T, w world) {
	a := w.app("race")
	w.publish(a.ID, 1)
	var highest atomic.Int64
	w.wins(racers, w.race("", func(racer int) error {
		for range 10 {
			epoch, err := w.db.TakeEpoch(t.Context(), fmt.Sprint(racer))
			if err != nil {
				return err
			}
			for old := highest.Load(); epoch > old && !highest.CompareAndSwap(old, epoch); old = highest.Load() {
			}
			before := highest.Load()
			_, err = w.db.SetRoute(t.Context(), epoch, a.ID, []store.RouteTarget{{Revision: 1, Weight: int(epoch)}}, "")
			if err == nil && before > epoch {
				return fmt.Errorf("epoch %d wrote after %d had begun", epoch, before)
			}
			if err != nil && azfunc.CodeOf(err) != azfunc.Fenced {
				return err
			}
		}
		return nil
	}))
	w.same(int64(racers*10), highest.Load())
}

// All racers bring the same content: it is there once and whole.
func testPackageRace(t *testing.T, w world) {
	raw, digest := content(9, 3<<20+5)
	w.wins(racers, w.race("", func(int) error {
		return w.db.PutPackage(t.Context(), digest, int64(len(raw)), readerOf(raw))
	}))
	w.sameContent(digest, raw)
}

func testOccurrenceRace(t *testing.T, w world) {
	a := w.app("race")
	w.wins(1, w.race(azfunc.Conflict, func(racer int) error {
		return w.db.ClaimOccurrence(t.Context(), a.ID, "Tick", noon(), fmt.Sprint(racer))
	}))
}

func testLeaseRace(t *testing.T, w world) {
	a := w.app("race")
	w.wins(1, w.race(azfunc.Conflict, func(racer int) error {
		return w.db.TakeLease(t.Context(), a.ID, "one", fmt.Sprint(racer), time.Hour)
	}))
}
