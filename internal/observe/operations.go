package observe

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// mostOperations is how many names of GraphQL operations are told apart, unless they are configured.
const mostOperations = 100

// Names of operations that are not a client's: GraphQL names have no parenthesis.
const (
	anonymous = "(anonymous)"
	others    = "(other)"
	unparsed  = "(unparsed)" // it failed before it was known which operation it is
)

// operations keeps the series of GraphQL operations by name. Their number is bounded, whoever sends what: by a list, or else by the first
// that callers with a credential sent; all others are one.
type operations struct {
	metrics *Metrics
	named   atomic.Pointer[map[string]*operation] // is replaced, never written
	fixed   bool

	anonymous, others, unparsed *operation
	mu                          sync.Mutex // of whoever adds a name
}

// operation is the series of one operation, or of one route: resolved once.
type operation struct {
	seconds prometheus.Observer
	ok      prometheus.Counter
	failed  func(code string) prometheus.Counter
}

// configured makes the operations of the names that are told apart; of the first that come if there are none.
func (m *Metrics) configured(names []string) *operations {
	os := &operations{metrics: m, fixed: len(names) > 0}
	os.anonymous, os.others, os.unparsed = m.operation(anonymous), m.operation(others), m.operation(unparsed)
	named := map[string]*operation{}
	for _, name := range names {
		named[name] = m.operation(name)
	}
	os.named.Store(&named)
	return os
}

// of is the series of a name.
func (os *operations) of(name string, stranger bool) *operation {
	if name == "" {
		return os.anonymous
	}
	named := *os.named.Load()
	if o, ok := named[name]; ok {
		return o
	}
	if os.fixed || stranger || name == others || len(named) >= mostOperations {
		return os.others
	}
	return os.add(name)
}

func (os *operations) add(name string) *operation {
	os.mu.Lock()
	defer os.mu.Unlock()
	named := *os.named.Load()
	switch o, ok := named[name]; {
	case ok:
		return o
	case len(named) >= mostOperations:
		return os.others
	}
	more := make(map[string]*operation, len(named)+1)
	for k, v := range named {
		more[k] = v
	}
	more[name] = os.metrics.operation(name)
	os.named.Store(&more)
	return more[name]
}

// words are the series of a label whose values are known beforehand; any other is counted as "other".
type words struct {
	known map[string]prometheus.Counter
	other prometheus.Counter
}

func newWords(v *prometheus.CounterVec, known ...string) words {
	w := words{map[string]prometheus.Counter{}, v.WithLabelValues("other")}
	for _, word := range known {
		w.known[word] = v.WithLabelValues(word)
	}
	return w
}

func (w words) of(word string) prometheus.Counter {
	if c, ok := w.known[word]; ok {
		return c
	}
	return w.other
}
