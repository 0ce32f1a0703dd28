// Package metrics counts what polling and delivering come to, for Prometheus.
//
// The names begin with ecwid_events_. What happens is counted as it happens; what is
// waiting is asked of the control.Service when the metrics are read.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

const namespace = "ecwid_events"

// readTimeout bounds how long a reading of the metrics may take.
const readTimeout = 10 * time.Second

// Metrics count for one program. They may be used concurrently.
type Metrics struct {
	registry *prometheus.Registry

	polls            *prometheus.CounterVec
	pollDuration     prometheus.Histogram
	requests         *prometheus.CounterVec
	events           *prometheus.CounterVec
	deliveries       *prometheus.CounterVec
	deliveryDuration prometheus.Histogram
	deliveryLag      prometheus.Histogram
}

// New returns Metrics at zero, with those of the Go runtime and the process beside.
func New(version string) *Metrics {
	m := &Metrics{
		registry:     prometheus.NewRegistry(),
		polls:        counter("polls_total", "Polls that have ended, by store and result: ok, not_whole, refused, failed or stopped.", "store", "result"),
		pollDuration: histogram("poll_duration_seconds", "How long polls took.", prometheus.ExponentialBuckets(0.05, 2, 14)),
		requests:     counter("api_requests_total", "Requests to Ecwid, by HTTP status; 0: no answer.", "status"),
		events:       counter("events_total", "Events detected, by store and type.", "store", "type"),
		deliveries:   counter("deliveries_total", "Attempts to deliver, by callback and result: delivered, or the error.", "callback", "result"),
		deliveryDuration: histogram("delivery_duration_seconds", "How long attempts took.",
			prometheus.ExponentialBuckets(0.005, 2, 13)),
		deliveryLag: histogram("delivery_lag_seconds", "From an event's detection to its acceptance.",
			prometheus.ExponentialBuckets(0.01, 3, 14)),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, labelled with the version.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build,
		m.polls, m.pollDuration, m.requests, m.events, m.deliveries, m.deliveryDuration, m.deliveryLag,
	)
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

// Poll counts a poll that has ended, and the events that it found, by type.
func (m *Metrics) Poll(storeID int64, result string, took time.Duration, events map[event.Type]int) {
	store := strconv.FormatInt(storeID, 10)
	m.polls.WithLabelValues(store, result).Inc()
	m.pollDuration.Observe(took.Seconds())
	for typ, n := range events {
		m.events.WithLabelValues(store, string(typ)).Add(float64(n))
	}
}

// Request counts a request to Ecwid; status is 0 when there was no answer.
func (m *Metrics) Request(status int) { m.requests.WithLabelValues(strconv.Itoa(status)).Inc() }

// Attempt counts an attempt to deliver. lag is 0 unless the event was accepted.
func (m *Metrics) Attempt(callback, result string, took, lag time.Duration) {
	m.deliveries.WithLabelValues(callback, result).Inc()
	m.deliveryDuration.Observe(took.Seconds())
	if lag > 0 {
		m.deliveryLag.Observe(lag.Seconds())
	}
}

// ForgetStore removes what was counted of a store, and ForgetCallback of a callback, that
// is there no more.
func (m *Metrics) ForgetStore(storeID int64) {
	of := prometheus.Labels{"store": strconv.FormatInt(storeID, 10)}
	m.polls.DeletePartialMatch(of)
	m.events.DeletePartialMatch(of)
}

// ForgetCallback is ForgetStore for a callback.
func (m *Metrics) ForgetCallback(name string) {
	m.deliveries.DeletePartialMatch(prometheus.Labels{"callback": name})
}

// Handler answers with the metrics, and with the gauges of what the service shows.
func (m *Metrics) Handler(s control.Service) http.Handler {
	gauges := prometheus.NewRegistry()
	gauges.MustRegister(&collector{service: s})
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, gauges}, promhttp.HandlerOpts{
		ErrorHandling: promhttp.HTTPErrorOnError, MaxRequestsInFlight: 4, Timeout: readTimeout,
	})
}

// A collector asks the service for what it shows.
type collector struct{ service control.Service }

var (
	lastSuccess   = gauge("last_successful_poll_timestamp_seconds", "When the last poll that succeeded began.", "store")
	suspended     = gauge("store_suspended", "1 while Ecwid refuses the store.", "store")
	overdue       = gauge("store_overdue", "1 while three polls of the store have come due without a good one, and it is neither paused nor suspended.", "store")
	paused        = gauge("store_paused", "1 while the store is paused.", "store")
	interval      = gauge("poll_interval_seconds", "From the last poll to the next one that is planned.", "store")
	pending       = gauge("pending", "Deliveries that wait.", "callback")
	oldestPending = gauge("oldest_pending_seconds", "Age of the oldest event that waits; 0 when none does.", "callback")
	dead          = gauge("dead", "Deliveries that were given up.", "callback")
	open          = gauge("callback_open", "1 while a callback fails so often that it is only probed.", "callback")
	held          = gauge("callback_paused", "1 while a callback that is configured is paused.", "callback")
)

func gauge(name, help, label string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, []string{label}, nil)
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lastSuccess, suspended, overdue, paused, interval, pending, oldestPending, dead, open, held} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	stores, err := c.service.Stores(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(lastSuccess, err)
		return
	}
	callbacks, err := c.service.Callbacks(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(pending, err)
		return
	}
	for i := range stores {
		collectStore(out, &stores[i])
	}
	now := time.Now()
	for i := range callbacks {
		collectCallback(out, &callbacks[i], now)
	}
}

func collectStore(out chan<- prometheus.Metric, s *control.Store) {
	id := strconv.FormatInt(s.ID, 10)
	send := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, id)
	}
	send(suspended, truth(s.Suspended != ""))
	send(overdue, truth(s.Overdue))
	send(paused, truth(s.Paused != ""))
	if s.LastSuccess != nil {
		send(lastSuccess, seconds(*s.LastSuccess))
	}
	if s.LastPoll != nil && s.NextPoll != nil {
		send(interval, s.NextPoll.Sub(s.LastPoll.At).Seconds())
	}
}

func collectCallback(out chan<- prometheus.Metric, c *control.Callback, now time.Time) {
	send := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, c.Name)
	}
	age := 0.0
	if c.OldestPending != nil {
		age = max(0, now.Sub(*c.OldestPending).Seconds())
	}
	send(pending, float64(c.Pending))
	send(oldestPending, age)
	send(dead, float64(c.Dead))
	send(open, truth(c.Open))
	send(held, truth(c.Paused != "" && !c.Orphaned)) // nothing is held back of what is not configured
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
