package hostapi_test

import (
	"context"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/hostapi"
)

// counted is the store with a count of how often a document is put together.
type counted struct {
	*store.DB
	reads atomic.Int64
}

func (c *counted) Keys(ctx context.Context, appID string) ([]store.Key, error) {
	c.reads.Add(1)
	return c.DB.Keys(ctx, appID)
}

// Every report of an instance wakes the long polls of all others; they share one read of the store.
func TestInstancesShareReads(t *testing.T) {
	t.Parallel()
	const instances, reports = 20, 10
	r := newRig(t)
	db := &counted{DB: r.db}
	svc, err := hostapi.New(hostapi.Config{
		GatewayKeys: func() []string { return nil }, PublicURL: func(string) string { return "" }, EnsureFunctionKeys: r.ensure,
	}, db, r.tokens, zerolog.Nop())
	ok(t, err)
	server := httptest.NewServer(svc)
	t.Cleanup(server.Close)
	r.server = server
	worker := r.worker(t, ordersToken)
	_, etag, err := worker.App(t.Context(), "", 0)
	ok(t, err)
	ended := make(chan *link.App, instances)
	for range instances {
		go func() {
			app, _, err := worker.App(t.Context(), etag, 30*time.Second)
			if err != nil {
				t.Error(err)
			}
			ended <- app
		}()
	}
	for range reports {
		ok(t, worker.Report(t.Context(), link.InstanceReport{State: link.StateActive}))
	}
	_, err = r.db.PutKey(t.Context(), r.orders.ID, store.Key{Kind: "host", Name: "default", Value: "h"})
	ok(t, err)
	for range instances {
		if app := <-ended; app == nil || len(app.Live.Keys.Host) != 1 {
			t.Errorf("answered %+v", app)
		}
	}
	// One for the first answer, at most one for each write: not one for each instance and write.
	if got := db.reads.Load(); got > 1+reports+1+1 {
		t.Errorf("%d reads for %d writes and %d instances", got, reports+1, instances)
	}
}
