package publish

import (
	"context"
	"net/http"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// validateError begins a verdict that makes functions-action stop.
const validateError = "ZipDeploy Validation ERROR: "

// validate says what publishing this zip would be refused for, without publishing it.
func (s *Service) validate(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength > s.cfg.MaxPackageBytes {
		refuseUnread(w, r, lingerKnown, tooLarge(s.cfg.MaxPackageBytes))
		return
	}
	up, err := s.receiveBody(w, r)
	if err != nil {
		refuseUnread(w, r, lingerKnown, err)
		return
	}
	defer up.discard()
	err = s.verdict(r.Context(), targetOf(r), up)
	switch azfunc.CodeOf(err) {
	case "":
		writeJSON(w, http.StatusOK, map[string]string{"result": ""})
	case azfunc.Invalid, azfunc.TooLarge, azfunc.Unsupported:
		writeJSON(w, http.StatusBadRequest, map[string]string{"result": validateError + azfunc.MessageOf(err)})
	default:
		writeError(w, r, err)
	}
}

func (s *Service) verdict(ctx context.Context, t target, up *upload) error {
	settings, _, err := s.store.Settings(ctx, t.app.ID)
	if err != nil {
		return err
	}
	_, err = s.inspect(ctx, up, settings)
	return err
}
