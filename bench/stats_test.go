package main

import (
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2: {9, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("%v: %v", values, got)
		}
	}
	values := []float64{3, 1, 2}
	median(values)
	if !slices.Equal(values, []float64{3, 1, 2}) {
		t.Errorf("the values were sorted: %v", values)
	}
}

// TestRatios has a machine that halves its speed in the second round: that is no difference between the two.
func TestRatios(t *testing.T) {
	t.Parallel()
	rs := ratios([]float64{80, 40, 90}, []float64{100, 50, 100})
	if !slices.Equal(rs, []float64{0.8, 0.8, 0.9}) {
		t.Errorf("%v", rs)
	}
	if s := spreadOf(rs); s != (spread{0.8, 0.8, 0.9}) {
		t.Errorf("%+v", s)
	}
	if rs := ratios([]float64{1}, []float64{0}); len(rs) != 0 {
		t.Errorf("a round without answers: %v", rs)
	}
	if s := spreadOf(nil); s != (spread{}) {
		t.Errorf("%+v", s)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var ds []time.Duration
	for i := range 100 {
		ds = append(ds, time.Duration(i+1))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := quantile(ds, q); got != want {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("of nothing")
	}
}
