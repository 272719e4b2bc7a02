package main

import (
	"math"
	"slices"
	"time"
)

// median is the middle of the values, or of the two in the middle their mean; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// spread is a median with the least and the greatest value.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	return spread{median(values), slices.Min(values), slices.Max(values)}
}

// ratios divides value by value, round by round: what the machine did to a round, it did to both.
func ratios(over, under []float64) []float64 {
	rs := make([]float64, 0, len(over))
	for i := range over {
		if under[i] > 0 {
			rs = append(rs, over[i]/under[i])
		}
	}
	return rs
}

// quantile is the smallest value that a share q of the sorted values does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
