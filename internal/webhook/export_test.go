package webhook

import "net/netip"

// Reaches reports whether an address is sent to.
func (a Allow) Reaches(at netip.Addr) bool { return a.address(at) == nil }
