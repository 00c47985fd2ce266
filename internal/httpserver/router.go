package httpserver

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// RouterConfig says what a face's router does with every request.
type RouterConfig struct {
	Face       string // in metrics and logs
	Logger     zerolog.Logger
	Registerer prometheus.Registerer // nil: no metrics
	// KeepSlash names the paths whose trailing "/" means something; nil means none.
	KeepSlash func(path string) bool
}

// NewRouter makes a chi router whose requests are given an id, logged, counted and recovered, whose paths are
// normal, and which answers unknown paths and methods as a Problem.
func NewRouter(cfg RouterConfig) chi.Router {
	logger := cfg.Logger.With().Str("face", cfg.Face).Logger()
	r := chi.NewRouter()
	r.Use(RequestID, AccessLog(logger))
	if cfg.Registerer != nil {
		r.Use(NewMetrics(cfg.Registerer).Middleware(cfg.Face))
	}
	r.Use(Recover(logger), NormalizePath(cfg.KeepSlash))
	r.NotFound(notFound)
	r.MethodNotAllowed(methodNotAllowed)
	return r
}

func notFound(w http.ResponseWriter, r *http.Request) {
	WriteError(w, r, azfunc.Errorf(azfunc.NotFound, "there is nothing at %s", r.URL.Path))
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	err := azfunc.Errorf(azfunc.Invalid, "%s does not take %s", r.URL.Path, r.Method)
	NoteError(r, err)
	WriteJSON(w, http.StatusMethodNotAllowed, Problem{Code: err.Code, Message: err.Message, RequestID: RequestIDFrom(r.Context())})
}
