package gateway

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the gateway's. What is counted per app lives in appState and is read when it is asked for, so that a
// request pays one atomic addition for it and an app that is gone leaves no series behind.
type metrics struct {
	g *Gateway

	requests, inFlight, queued, waiting *prometheus.Desc

	failures        *prometheus.CounterVec
	retries         prometheus.Counter
	connectFailures prometheus.Counter
	aborted         prometheus.Counter
	latency         prometheus.Histogram
}

func newMetrics(g *Gateway) *metrics {
	perApp := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("nightshift_gateway_"+name, help, append([]string{"app"}, labels...), nil)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "nightshift_gateway_" + name, Help: help})
	}
	return &metrics{
		g:        g,
		requests: perApp("requests_total", "Requests answered, by app and status class.", "class"),
		inFlight: perApp("requests_in_flight", "Requests under way, by app."),
		queued:   perApp("requests_queued", "Requests waiting because the app has too many under way."),
		waiting:  perApp("requests_waiting", "Requests waiting for a first instance of the app."),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nightshift_gateway_failures_total", Help: "Answers of the gateway's own, by code.",
		}, []string{"code"}),
		retries:         counter("retries_total", "Requests sent again because no byte had reached the first instance."),
		connectFailures: counter("connect_failures_total", "Connects to instances that failed."),
		aborted:         counter("aborted_answers_total", "Answers that an instance broke off."),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "nightshift_gateway_upstream_seconds", Help: "Time from sending a request to an instance to the header of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 230},
		}),
	}
}

func (m *metrics) plain() []prometheus.Collector {
	return []prometheus.Collector{m.failures, m.retries, m.connectFailures, m.aborted, m.latency}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.requests, m.inFlight, m.queued, m.waiting} {
		ch <- d
	}
	for _, c := range m.plain() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.plain() {
		c.Collect(ch)
	}
	for _, s := range *m.g.apps.Load() {
		gauge := func(d *prometheus.Desc, v int64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), s.name)
		}
		gauge(m.inFlight, int64(len(s.slots)))
		gauge(m.queued, s.queued.Load())
		gauge(m.waiting, s.waiting.Load())
		for class := 1; class < len(s.answered); class++ {
			if n := s.answered[class].Load(); n > 0 {
				ch <- prometheus.MustNewConstMetric(m.requests, prometheus.CounterValue, float64(n), s.name, strconv.Itoa(class)+"xx")
			}
		}
	}
}
