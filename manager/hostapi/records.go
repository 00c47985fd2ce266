package hostapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// The limits of what one call may bring. Function code can call with its instance's token.
const (
	maxReport    = 1 << 20
	maxTriggers  = 4 << 20
	maxBatch     = 8 << 20
	maxItems     = 5000 // of a batch
	maxFunctions = 1000
	maxID        = 200
)

func (s *Service) putInstance(w http.ResponseWriter, r *http.Request) {
	var report link.InstanceReport
	err := httpserver.ReadJSON(w, r, maxReport, &report)
	if err == nil {
		err = s.keepReport(r.Context(), callerOf(r), report)
	}
	done(w, r, http.StatusNoContent, err)
}

func (s *Service) keepReport(ctx context.Context, c caller, report link.InstanceReport) error {
	if err := c.own(report.InstanceID); err != nil {
		return err
	}
	states := []link.InstanceState{link.StateStarting, link.StateStandby, link.StateActive, link.StateDraining, link.StateStopped, link.StateFailed}
	if !slices.Contains(states, report.State) {
		return azfunc.Errorf(azfunc.Invalid, "%q is not a state of an instance", report.State)
	}
	if report.State == link.StateFailed {
		s.log.Warn().Str("app", c.App).Int64("revision", c.Revision).Str("instance", c.ID).Msg("an instance reports that it cannot serve")
	}
	report.InstanceID = c.ID
	raw, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode the report of instance %q: %w", c.ID, err)
	}
	return s.store.PutInstance(ctx, store.Instance{ID: c.ID, AppID: c.app.ID, Revision: c.Revision, State: string(report.State), Report: raw})
}

// own refuses a body that names another instance than the token. An empty name is the token's.
func (c caller) own(instanceID string) error {
	if instanceID == "" || instanceID == c.ID {
		return nil
	}
	return azfunc.Errorf(azfunc.Forbidden, "the token is of instance %q, the body speaks of another one", c.ID)
}

func (s *Service) putTriggers(w http.ResponseWriter, r *http.Request) {
	var triggers link.Triggers
	err := httpserver.ReadJSON(w, r, maxTriggers, &triggers)
	if err == nil {
		err = s.keepTriggers(r.Context(), callerOf(r), triggers)
	}
	done(w, r, http.StatusNoContent, err)
}

func (s *Service) keepTriggers(ctx context.Context, c caller, triggers link.Triggers) error {
	names, err := functionNames(triggers.Functions)
	if err != nil {
		return err
	}
	triggers.HostID = HostID(c.app.Name)
	raw, err := json.Marshal(triggers)
	if err != nil {
		return fmt.Errorf("encode the triggers of app %q: %w", c.App, err)
	}
	if err := s.store.PutTriggers(ctx, c.app.ID, c.Revision, raw); err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	return s.cfg.EnsureFunctionKeys(ctx, c.app.ID, names)
}

// functionNames reads the names of the functions that a host has indexed, in their order.
func functionNames(functions []json.RawMessage) ([]string, error) {
	if len(functions) > maxFunctions {
		return nil, azfunc.Errorf(azfunc.TooLarge, "the app has %d functions, %d is the limit", len(functions), maxFunctions)
	}
	names := make([]string, 0, len(functions))
	for i, raw := range functions {
		var function struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(raw, &function); err != nil {
			return nil, azfunc.Errorf(azfunc.Invalid, "function %d of the triggers cannot be read: %w", i+1, err)
		}
		if err := azfunc.ValidateFunctionName(function.Name); err != nil {
			return nil, err
		}
		names = append(names, function.Name)
	}
	return names, nil
}

func (s *Service) postInvocations(w http.ResponseWriter, r *http.Request) {
	var batch link.InvocationBatch
	err := httpserver.ReadJSON(w, r, maxBatch, &batch)
	if err == nil {
		err = s.keepInvocations(r.Context(), callerOf(r), batch.Invocations)
	}
	done(w, r, http.StatusNoContent, err)
}

func (s *Service) keepInvocations(ctx context.Context, c caller, batch []link.Invocation) error {
	if err := checkItems(len(batch)); err != nil || len(batch) == 0 {
		return err
	}
	kept := make([]store.Invocation, 0, len(batch))
	for _, i := range batch {
		if err := checkID("invocation", i.ID); err != nil {
			return err
		}
		i.InstanceID = c.ID
		raw, err := json.Marshal(i)
		if err != nil {
			return azfunc.Errorf(azfunc.Invalid, "invocation %q cannot be kept: %w", i.ID, err)
		}
		kept = append(kept, store.Invocation{
			ID: i.ID, AppID: c.app.ID, Revision: c.Revision, Function: i.Function, Started: s.plausible(i.Started),
			DurationUS: i.DurationMicros, Success: i.Success, Record: raw,
		})
	}
	return s.store.AddInvocations(ctx, kept)
}

func (s *Service) postLogs(w http.ResponseWriter, r *http.Request) {
	var batch link.LogBatch
	err := httpserver.ReadJSON(w, r, maxBatch, &batch)
	if err == nil {
		err = s.keepLogs(r.Context(), callerOf(r), batch.Lines)
	}
	done(w, r, http.StatusNoContent, err)
}

func (s *Service) keepLogs(ctx context.Context, c caller, batch []link.LogLine) error {
	if err := checkItems(len(batch)); err != nil || len(batch) == 0 {
		return err
	}
	kept := make([]store.AppLog, 0, len(batch))
	for _, l := range batch {
		if err := checkID("log line", l.ID); err != nil {
			return err
		}
		// A line that another instance will send must not be taken for sent already.
		if !strings.HasPrefix(l.ID, c.ID) {
			l.ID = c.ID + "/" + l.ID
		}
		l.InstanceID = c.ID
		raw, err := json.Marshal(l)
		if err != nil {
			return azfunc.Errorf(azfunc.Invalid, "log line %q cannot be kept: %w", l.ID, err)
		}
		kept = append(kept, store.AppLog{
			ID: l.ID, AppID: c.app.ID, At: s.plausible(l.At), Level: l.Level, Function: l.Function, InvocationID: l.InvocationID, Line: raw,
		})
	}
	return s.store.AddLogs(ctx, kept)
}

// plausible keeps a record with a broken clock from standing at the head of every list for years.
func (s *Service) plausible(at time.Time) time.Time {
	now := s.cfg.Now()
	if at.IsZero() || at.After(now.Add(maxAhead)) {
		return now
	}
	return at
}

func checkItems(n int) error {
	if n <= maxItems {
		return nil
	}
	return azfunc.Errorf(azfunc.TooLarge, "the batch has %d records, %d is the limit: send several", n, maxItems)
}

func checkID(what, id string) error {
	if id != "" && len(id) <= maxID {
		return nil
	}
	return azfunc.Errorf(azfunc.Invalid, "every %s needs an id of 1 to %d characters", what, maxID)
}

// done answers a call that has nothing to say but how it went.
func done(w http.ResponseWriter, r *http.Request, status int, err error) {
	if err != nil {
		httpserver.WriteError(w, r, err)
		return
	}
	w.WriteHeader(status)
}
