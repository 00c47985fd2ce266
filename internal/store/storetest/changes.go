package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

func testChanges(t *testing.T, w world) {
	a := w.app("changes")
	topic := store.AppTopic(a.ID)
	before := w.db.Version(topic)
	woken := make(chan uint64, racers)
	failed := make(chan error, racers)
	for range racers {
		go func() {
			v, err := w.db.Wait(t.Context(), topic, before)
			if err != nil {
				failed <- err
				return
			}
			woken <- v
		}()
	}
	_, err := w.db.PutKey(t.Context(), a.ID, store.Key{Kind: "host", Name: "k", Value: "v"})
	w.ok(err)
	for range racers {
		select {
		case v := <-woken:
			w.same(w.db.Version(topic), v)
		case err := <-failed:
			t.Fatal(err)
		case <-time.After(10 * time.Second):
			t.Fatal("a waiter was not woken")
		}
	}

	now := w.db.Version(topic)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := w.db.Wait(ctx, topic, now); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("nothing changed: want the end of the context, got %v", err)
	}
	// A version from before a restart is answered at once.
	_, err = w.db.Wait(t.Context(), topic, now+1000)
	w.ok(err)

	// However many topics there are, none that changed is missed.
	for i := range 10_000 {
		ended, end := context.WithCancel(t.Context())
		end()
		_, _ = w.db.Wait(ended, fmt.Sprintf("app/%d", i), w.db.Version("apps"))
	}
	w.ok(w.db.SetAppStopped(t.Context(), "changes", true))
	_, err = w.db.Wait(t.Context(), topic, now)
	w.ok(err)
}

// Each kind of write moves the topics that its readers wait on, and a failed one none.
func testChangeTopics(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("topics")
	w.publish(a.ID, 1)
	epoch := w.epoch()
	mine := store.AppTopic(a.ID)
	for _, step := range []struct {
		name   string
		topics []string
		do     func() error
	}{
		{"create", []string{store.TopicApps, store.TopicRoutes}, func() error { w.app("another"); return nil }},
		{"delete", []string{store.TopicApps, store.TopicRoutes}, func() error { return w.db.DeleteApp(ctx, "another") }},
		{"stop", []string{store.TopicApps, store.TopicRoutes, mine}, func() error { return w.db.SetAppStopped(ctx, "topics", true) }},
		{"stop again", nil, func() error { return w.db.SetAppStopped(ctx, "topics", true) }},
		{"phase", []string{store.TopicApps, mine}, func() error { return w.db.SetPhase(ctx, epoch, a.ID, 1, store.PhaseStandby, "") }},
		{"phase again", nil, func() error { return w.db.SetPhase(ctx, epoch, a.ID, 1, store.PhaseStandby, "") }},
		{"route", []string{store.TopicRoutes, mine}, func() error {
			_, err := w.db.SetRoute(ctx, epoch, a.ID, []store.RouteTarget{{Revision: 1, Weight: 1}}, "")
			return err
		}},
		{"settings", []string{store.TopicApps, mine}, func() error {
			_, _, err := w.db.ReplaceSettings(ctx, a.ID, map[string]string{"A": "1"}, 0, true)
			return err
		}},
		{"publish", []string{store.TopicApps, mine}, func() error { w.begin(a.ID, 2); return nil }},
		{"key", []string{mine}, func() error {
			return w.db.DeleteKey(ctx, a.ID, "host", "", w.aKey(ctx, a.ID))
		}},
		{"instance", []string{store.TopicApps, mine}, func() error { return w.db.PutInstance(ctx, store.Instance{ID: "i", AppID: a.ID}) }},
		{"heartbeat", []string{mine}, func() error { return w.db.PutInstance(ctx, store.Instance{ID: "i", AppID: a.ID}) }},
		{"user", nil, func() error { _, err := w.db.CreateUser(ctx, store.User{Name: "u"}); return err }},
	} {
		before := map[string]uint64{}
		for _, topic := range []string{store.TopicApps, store.TopicRoutes, mine} {
			before[topic] = w.db.Version(topic)
		}
		w.ok(step.do())
		want := map[string]bool{store.TopicApps: false, store.TopicRoutes: false, mine: false}
		for _, topic := range step.topics {
			want[topic] = true
		}
		for topic, v := range before {
			if moved := w.db.Version(topic) != v; moved != want[topic] {
				t.Errorf("%s: topic %s moved is %v, want %v", step.name, topic, moved, want[topic])
			}
		}
	}
	before := w.db.Version(mine)
	w.code(w.db.SetPhase(ctx, epoch, a.ID, 1, store.PhasePending, ""), azfunc.Conflict)
	w.same(before, w.db.Version(mine))
}

func (w world) aKey(ctx context.Context, appID string) string {
	w.t.Helper()
	_, err := w.db.PutKey(ctx, appID, store.Key{Kind: "host", Name: "gone", Value: "v"})
	w.ok(err)
	return "gone"
}

// A cancelled call changes nothing and leaves the store usable.
func testCancelled(t *testing.T, w world) {
	w.app("one")
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := w.db.CreateUser(ended, store.User{Name: "late"})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("want the end of the context, got %v", err)
	}
	if _, err := w.db.App(ended, "one"); !errors.Is(err, context.Canceled) {
		t.Fatalf("want the end of the context, got %v", err)
	}
	n, err := w.db.CountUsers(t.Context())
	w.ok(err)
	w.same(int64(0), n)
	w.ok(w.db.Ping(t.Context()))
}

func testSealer(t *testing.T, w world) {
	w.ok(w.db.CheckSealer(t.Context()))
	w.ok(w.db.CheckSealer(t.Context()))
}
