package observe

import (
	"database/sql"

	"github.com/prometheus/client_golang/prometheus"

	"roster/internal/directory"
)

// Watch has the metrics tell how the pool of connections, the feed of changes and the webhooks stand at the moment that they are asked for.
func (m *Metrics) Watch(pool func() sql.DBStats, feed func() directory.FeedState, webhooks func() directory.WebhooksState) {
	m.registry.MustRegister(states[sql.DBStats]{pool, []state[sql.DBStats]{
		gauge("roster_db_connections_max", "Connections to Postgres that there may be.", func(s sql.DBStats) float64 { return float64(s.MaxOpenConnections) }),
		gauge("roster_db_connections_open", "Connections that are open.", func(s sql.DBStats) float64 { return float64(s.OpenConnections) }),
		gauge("roster_db_connections_in_use", "Connections that somebody uses.", func(s sql.DBStats) float64 { return float64(s.InUse) }),
		counter("roster_db_connection_waits_total", "How often somebody had to wait for a connection.", func(s sql.DBStats) float64 { return float64(s.WaitCount) }),
		counter("roster_db_connection_wait_seconds_total", "How long that was, all together.", func(s sql.DBStats) float64 { return s.WaitDuration.Seconds() }),
	}}, states[directory.FeedState]{feed, []state[directory.FeedState]{
		gauge("roster_streams_open", "Streams of changes that are open.", func(s directory.FeedState) float64 { return float64(s.Streams) }),
		gauge("roster_feed_lag_seconds", "Since when the change log has not been read to its end; about 1 at most while all is well, 0 without streams.", func(s directory.FeedState) float64 { return s.Lag.Seconds() }),
		gauge("roster_feed_backlog_changes", "Changes that wait for the clients of streams to take them.", func(s directory.FeedState) float64 { return float64(s.Waiting) }),
		gauge("roster_feed_backlog_changes_max", "Those that wait for the one client that is furthest behind.", func(s directory.FeedState) float64 { return float64(s.Longest) }),
		counter("roster_feed_errors_total", "How often the change log could not be read.", func(s directory.FeedState) float64 { return float64(s.Errors) }),
	}})
	m.registry.MustRegister(states[directory.WebhooksState]{webhooks, webhookStates()})
}

// webhookStates are all webhooks of the directory, whichever server delivers to them.
func webhookStates() (all []state[directory.WebhooksState]) {
	type of = directory.WebhooksState
	for name, n := range map[string]func(of) int{"active": func(s of) int { return s.Active }, "failing": func(s of) int { return s.Failing },
		"dead": func(s of) int { return s.Dead }, "off": func(s of) int { return s.Off }} {
		all = append(all, labelled("roster_webhooks", "Webhooks, by how delivery goes.", name, func(s of) float64 { return float64(n(s)) }))
	}
	const lag = "Since when the oldest change waits that a webhook was not told of; failing ones, whose receivers do not take it, by themselves."
	return append(all, labelled("roster_webhook_lag_seconds", lag, "active", func(s of) float64 { return s.Lag.Seconds() }),
		labelled("roster_webhook_lag_seconds", lag, "failing", func(s of) float64 { return s.FailingLag.Seconds() }))
}

// states are metrics that are all read of one look at something.
type states[S any] struct {
	look func() S
	all  []state[S]
}

// state is one of them.
type state[S any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(S) float64
}

func gauge[S any](name, help string, value func(S) float64) state[S] {
	return state[S]{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, value}
}

// labelled is the gauge of one state among others.
func labelled[S any](name, help, value string, of func(S) float64) state[S] {
	return state[S]{prometheus.NewDesc(name, help, nil, prometheus.Labels{"state": value}), prometheus.GaugeValue, of}
}

func counter[S any](name, help string, value func(S) float64) state[S] {
	return state[S]{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, value}
}

// Describe is for the registry.
func (s states[S]) Describe(to chan<- *prometheus.Desc) {
	for _, one := range s.all {
		to <- one.desc
	}
}

// Collect is for the registry.
func (s states[S]) Collect(to chan<- prometheus.Metric) {
	now := s.look()
	for _, one := range s.all {
		to <- prometheus.MustNewConstMetric(one.desc, one.kind, one.value(now))
	}
}
