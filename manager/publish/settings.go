package publish

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// The limits of SCM-only settings. They do nothing to an app: clients write a few flags for a build that Azure would
// do and wait until they read them back.
const (
	maxSettingsBody = 64 << 10
	maxSCMSettings  = 100
	maxSettingName  = 200
	maxSettingValue = 8 << 10
)

// getSettings is the app's settings with the SCM-only ones over them.
func (s *Service) getSettings(w http.ResponseWriter, r *http.Request) {
	all, err := s.merged(r)
	if err == nil {
		err = s.audit(r, identity.ActionPublishSettings, "all settings", nil)
	}
	if err != nil {
		writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, all)
}

func (s *Service) getSetting(w http.ResponseWriter, r *http.Request) {
	all, err := s.merged(r)
	name := chi.URLParam(r, "key")
	if err == nil {
		err = s.audit(r, identity.ActionPublishSettings, "setting "+clip(name), nil)
	}
	if err != nil {
		writeError(w, r, err)
		return
	}
	if found, ok := sameName(all, name); ok {
		writeJSON(w, http.StatusOK, all[found])
		return
	}
	writeError(w, r, azfunc.Errorf(azfunc.NotFound, "there is no setting %q", clip(name)))
}

func (s *Service) merged(r *http.Request) (map[string]string, error) {
	app := targetOf(r).app
	settings, _, err := s.store.Settings(r.Context(), app.ID)
	if err != nil {
		return nil, err
	}
	own, err := s.store.SCMSettings(r.Context(), app.ID)
	if err != nil {
		return nil, err
	}
	return merge(settings, own), nil
}

// merge lays SCM-only settings over an app's; names that differ in case alone are one setting.
func merge(settings, own map[string]string) map[string]string {
	out := make(map[string]string, len(settings)+len(own))
	maps.Copy(out, settings)
	for name, value := range own {
		if same, ok := sameName(out, name); ok {
			delete(out, same)
		}
		out[name] = value
	}
	return out
}

func sameName(m map[string]string, name string) (string, bool) {
	for candidate := range m {
		if strings.EqualFold(candidate, name) {
			return candidate, true
		}
	}
	return "", false
}

// postSettings writes SCM-only settings; app settings are the management API's.
func (s *Service) postSettings(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := httpserver.ReadJSON(w, r, maxSettingsBody, &body); err != nil {
		writeError(w, r, err)
		return
	}
	set, err := readSettings(body)
	if err == nil {
		err = s.putSCM(r, set, nil)
	}
	names := strings.Join(slices.Sorted(maps.Keys(set)), ", ")
	_ = s.audit(r, identity.ActionPublishConfigure, "SCM settings "+names, err)
	if err != nil {
		writeError(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Service) deleteSetting(w http.ResponseWriter, r *http.Request) {
	name := chi.URLParam(r, "key")
	err := s.putSCM(r, nil, []string{name})
	_ = s.audit(r, identity.ActionPublishConfigure, "delete SCM setting "+clip(name), err)
	if err != nil {
		writeError(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Service) putSCM(r *http.Request, set map[string]string, remove []string) error {
	app := targetOf(r).app
	if len(set) > 0 {
		own, err := s.store.SCMSettings(r.Context(), app.ID)
		if err != nil {
			return err
		}
		if len(merge(own, set)) > maxSCMSettings {
			return azfunc.Errorf(azfunc.Invalid, "app %q would have more than %d SCM settings; delete some first", app.Name, maxSCMSettings)
		}
	}
	return s.store.PutSCMSettings(r.Context(), app.ID, set, remove)
}

// readSettings takes both of Kudu's forms: {"NAME":"value"} and {"key":"NAME","value":"value"}.
func readSettings(body map[string]any) (map[string]string, error) {
	key, hasKey := body["key"].(string)
	value, hasValue := body["value"]
	if hasKey && hasValue && len(body) == 2 {
		body = map[string]any{key: value}
	}
	out := make(map[string]string, len(body))
	for _, name := range slices.Sorted(maps.Keys(body)) {
		text, err := settingText(name, body[name])
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

func settingText(name string, value any) (string, error) {
	if name == "" || len(name) > maxSettingName || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' }) {
		return "", azfunc.Errorf(azfunc.Invalid, "%q is not a name for a setting: use 1 to %d printable characters", clip(name), maxSettingName)
	}
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case nil, map[string]any, []any:
		return "", azfunc.Errorf(azfunc.Invalid, "the value of setting %q is not a text", name)
	default: // true, 3: as it stands in JSON
		raw, _ := json.Marshal(v) // a number or boolean that was just read
		text = string(raw)
	}
	if len(text) > maxSettingValue {
		return "", azfunc.Errorf(azfunc.Invalid, "the value of setting %q is longer than %d bytes", name, maxSettingValue)
	}
	return text, nil
}

// environment is asked for by clients that want to know what kind of Kudu this is.
func (s *Service) environment(w http.ResponseWriter, r *http.Request) {
	app := targetOf(r).app
	writeJSON(w, http.StatusOK, map[string]string{"version": "1.0.0", "siteLastModified": app.UpdatedAt.UTC().Format(time.RFC3339)})
}
