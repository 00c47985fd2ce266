package httpserver

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests by face, route pattern, method and status class. Several faces may share a registerer.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
}

// NewMetrics registers the metrics, or takes the ones that another face has registered with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return &Metrics{
		requests: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nightshift_http_requests_total", Help: "Requests answered, by face, route, method and status class.",
		}, []string{"face", "route", "method", "class"})),
		duration: register(reg, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nightshift_http_request_duration_seconds", Help: "Time from the first byte of a request's header to the end of its answer.",
			Buckets: []float64{.001, .005, .025, .1, .5, 1, 5, 30, 120},
		}, []string{"face", "route"})),
		inFlight: register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "nightshift_http_requests_in_flight", Help: "Requests under way, by face.",
		}, []string{"face"})),
	}
}

// register adds c to reg, or returns what reg holds under the same description.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if err := reg.Register(c); err != nil {
		if have, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
			if c2, ok := have.ExistingCollector.(C); ok {
				return c2
			}
		}
	}
	return c
}

// Middleware counts the requests of one face.
func (m *Metrics) Middleware(face string) func(http.Handler) http.Handler {
	inFlight := m.inFlight.WithLabelValues(face)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			inFlight.Inc()
			defer func() {
				inFlight.Dec()
				route := routeOf(r)
				m.requests.WithLabelValues(face, route, methodOf(r), StatusClass(statusOf(ww))).Inc()
				m.duration.WithLabelValues(face, route).Observe(time.Since(start).Seconds())
			}()
			next.ServeHTTP(ww, r)
		})
	}
}

// methodOf keeps the label's values few: a stranger may send any word as a method.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// StatusClass is "2xx" for 200 to 299, and so on.
func StatusClass(status int) string { return strconv.Itoa(status/100) + "xx" }
