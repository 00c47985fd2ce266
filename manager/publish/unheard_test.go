package publish_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/publish"
)

// unheard is the store behind a connection that breaks once after the commit of an acceptance.
type unheard struct {
	*store.DB
	calls atomic.Int64
}

func (u *unheard) AcceptDeployment(ctx context.Context, id string, in store.AcceptInput) (store.Revision, error) {
	rev, err := u.DB.AcceptDeployment(ctx, id, in)
	if err == nil && u.calls.Add(1) == 1 {
		return store.Revision{}, errors.New("connection reset after the commit")
	}
	return rev, err
}

// A commit whose answer was lost is neither called failed nor made twice.
func TestUnheardCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.wrap = func(db *store.DB) publish.Store { return &unheard{DB: db} } })
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted, `"status":2`)
	if r.desired(t) != 1 {
		t.Errorf("desired revision %d", r.desired(t))
	}
}
