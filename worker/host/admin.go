package host

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/binding"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/invoke"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
	"github.com/nightshift-functions/nightshift/worker/trigger"
)

// maxInput bounds the input of a function that is run by hand.
const maxInput = 1 << 20

// serveAdmin answers the part of Azure's admin API that an instance can answer; the manager answers the rest. All but
// the ping needs the master key.
func (h *Host) serveAdmin(w http.ResponseWriter, r *http.Request, app *loaded) {
	path := strings.ToLower(strings.TrimSuffix(r.URL.Path, "/"))
	if path == "/admin/host/ping" && (r.Method == http.MethodGet || r.Method == http.MethodPost) {
		w.WriteHeader(http.StatusOK)
		return
	}
	if h.keyring.Load().Level(r, "") < Admin {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name, isFunction := strings.CutPrefix(path, "/admin/functions/")
	switch {
	case path == "/admin/host/status" && r.Method == http.MethodGet:
		h.serveStatus(w)
	case app == nil:
		unavailable(w, "Function host is not running.")
	case path == "/admin/host/drain/status" && r.Method == http.MethodGet:
		h.serveDrainStatus(w, app)
	case path == "/admin/host/synctriggers" && r.Method == http.MethodPost:
		h.serveSync(w, r, app)
	case path == "/admin/functions" && r.Method == http.MethodGet:
		writeJSON(w, http.StatusOK, describeAll(app))
	case isFunction && r.Method == http.MethodGet:
		serveDescription(w, app, name)
	case isFunction && r.Method == http.MethodPost:
		h.serveRun(w, r, app, name)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// hostStatus is GET /admin/host/status.
type hostStatus struct {
	ID             string   `json:"id"`
	State          string   `json:"state"`
	Version        string   `json:"version"`
	VersionDetails string   `json:"versionDetails"`
	InstanceID     string   `json:"instanceId"`
	ProcessUptime  int64    `json:"processUptime"` // milliseconds
	EditingState   string   `json:"functionAppContentEditingState"`
	Errors         []string `json:"errors,omitempty"`
}

func (h *Host) serveStatus(w http.ResponseWriter) {
	h.mu.Lock()
	s := hostStatus{
		ID: h.spec.HostID, State: azureState(h.state), Version: channel.HostVersion, VersionDetails: "nightshift " + h.cfg.Version,
		InstanceID: h.cfg.InstanceID, ProcessUptime: time.Since(h.started).Milliseconds(), EditingState: "NotAllowed",
	}
	if h.failure != nil {
		s.Errors = []string{h.failure.Message}
	}
	h.mu.Unlock()
	writeJSON(w, http.StatusOK, s)
}

// drainStatus is GET /admin/host/drain/status.
type drainStatus struct {
	State       string `json:"state"`
	Invocations int    `json:"outstandingInvocations"`
	Retries     int    `json:"outstandingRetries"`
}

func (h *Host) serveDrainStatus(w http.ResponseWriter, app *loaded) {
	s := drainStatus{State: "Disabled", Invocations: app.dispatcher.InFlight()}
	h.mu.Lock()
	draining := h.state.Instance() == hostapi.StateDraining
	h.mu.Unlock()
	switch {
	case draining && s.Invocations > 0:
		s.State = "InProgress"
	case draining:
		s.State = "Completed"
	}
	writeJSON(w, http.StatusOK, s)
}

func azureState(s State) string {
	switch {
	case s.Failed:
		return "Error"
	case s.Stopped:
		return "Stopped"
	case s.Stopping:
		return "Stopping"
	case s.Loaded:
		return "Running"
	}
	return "Starting"
}

func (h *Host) serveSync(w http.ResponseWriter, r *http.Request, app *loaded) {
	ctx, cancel := bound(r.Context())
	defer cancel()
	if err := h.publishTriggers(ctx, app); err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"status": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "success"})
}

// functionObject is what the admin API tells about a function.
type functionObject struct {
	Name              string            `json:"name"`
	ScriptRoot        string            `json:"script_root_path_href"`
	Script            string            `json:"script_href,omitempty"`
	ConfigHref        string            `json:"config_href"`
	TestDataHref      string            `json:"test_data_href"`
	Href              string            `json:"href"`
	InvokeURLTemplate string            `json:"invoke_url_template"`
	Language          string            `json:"language"`
	Config            functionConfig    `json:"config"`
	Files             map[string]string `json:"files"`
	TestData          string            `json:"test_data"`
	IsDisabled        bool              `json:"isDisabled"`
	IsDirect          bool              `json:"isDirect"`
	IsProxy           bool              `json:"isProxy"`
}

type functionConfig struct {
	Name       string            `json:"name"`
	EntryPoint string            `json:"entryPoint,omitempty"`
	ScriptFile string            `json:"scriptFile,omitempty"`
	Language   string            `json:"language,omitempty"`
	Bindings   []json.RawMessage `json:"bindings"`
}

func describeFunction(app *loaded, f *channel.Function) functionObject {
	base := app.spec.PublicURL + "/admin"
	o := functionObject{
		Name: f.Name, ScriptRoot: base + "/vfs/site/wwwroot/" + f.Name + "/", ConfigHref: base + "/vfs/site/wwwroot/" + f.Name + "/function.json",
		TestDataHref: base + "/vfs/data/Functions/sampledata/" + f.Name + ".dat", Href: base + "/functions/" + f.Name,
		Language: app.spec.Runtime, IsDisabled: f.Disabled,
		Config: functionConfig{Name: f.Name, EntryPoint: f.EntryPoint, ScriptFile: f.ScriptFile, Language: app.spec.Runtime},
	}
	for _, b := range f.Bindings {
		o.Config.Bindings = append(o.Config.Bindings, b.Raw)
	}
	if t, ok := f.Trigger(); ok && t.Is("httpTrigger") {
		o.InvokeURLTemplate = invokeURL(app.spec.PublicURL, app.host.HTTP.RoutePrefix, routeOf(f, t))
	}
	return o
}

func describeAll(app *loaded) []functionObject {
	list := make([]functionObject, len(app.functions))
	for i, f := range app.functions {
		list[i] = describeFunction(app, f)
	}
	return list
}

func find(app *loaded, name string) *channel.Function {
	for _, f := range app.functions {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

func serveDescription(w http.ResponseWriter, app *loaded, name string) {
	f := find(app, name)
	if f == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	writeJSON(w, http.StatusOK, describeFunction(app, f))
}

// serveRun runs a function that is not started by HTTP: 202, and the run goes on by itself.
func (h *Host) serveRun(w http.ResponseWriter, r *http.Request, app *loaded, name string) {
	f := find(app, name)
	if f == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInput))
	var body struct {
		Input *string `json:"input"`
	}
	if err != nil || json.Unmarshal(raw, &body) != nil {
		writeText(w, http.StatusBadRequest, `the body must be a JSON object such as {"input": "..."}`)
		return
	}
	t, ok := f.Trigger()
	switch {
	case f.Problem != "":
		writeText(w, http.StatusBadRequest, "the function does not run: "+f.Problem)
		return
	case !ok || t.Is("httpTrigger"):
		writeText(w, http.StatusBadRequest, "an HTTP function is run by calling its own address")
		return
	}
	call := &invoke.Call{ID: invoke.NewID(), Function: f, Data: inputOf(t.Is("timerTrigger"), body.Input)}
	ctx := context.WithoutCancel(r.Context())
	go func() { _ = app.dispatcher.Run(ctx, call) }() // counted as in flight, so draining waits for it
	w.WriteHeader(http.StatusAccepted)
}

// inputOf is what the function gets: a timer its usual object, anything else the text that was sent.
func inputOf(timer bool, input *string) *rpcpb.TypedData {
	if timer {
		return binding.JSON(trigger.TimerPayload())
	}
	text := ""
	if input != nil {
		text = *input
	}
	return &rpcpb.TypedData{Data: &rpcpb.TypedData_String_{String_: text}}
}

// publishTriggers tells the manager what was indexed.
func (h *Host) publishTriggers(ctx context.Context, app *loaded) error {
	t := hostapi.Triggers{HostID: app.spec.HostID, Triggers: []json.RawMessage{}, Functions: []json.RawMessage{}}
	for _, f := range app.functions {
		if raw, err := json.Marshal(describeFunction(app, f)); err == nil {
			t.Functions = append(t.Functions, raw)
		}
		if b, ok := f.Trigger(); ok && f.Problem == "" && !f.Disabled {
			if raw, err := withFunctionName(b.Raw, f.Name); err == nil {
				t.Triggers = append(t.Triggers, raw)
			}
		}
	}
	err := h.cfg.Link.Triggers(ctx, t)
	if err != nil {
		h.cfg.Log.Warn().Err(err).Msg("the manager did not take the triggers")
	}
	return err // the link's errors say what happened
}

func withFunctionName(binding json.RawMessage, name string) (json.RawMessage, error) {
	properties := map[string]json.RawMessage{}
	if err := json.Unmarshal(binding, &properties); err != nil {
		return nil, err // the caller only leaves it out
	}
	raw, err := json.Marshal(name)
	if err != nil {
		return nil, err // a string cannot fail
	}
	properties["functionName"] = raw
	return json.Marshal(properties) // plain JSON cannot fail
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
