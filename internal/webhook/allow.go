package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Allow says which addresses may be sent to beyond those of the public internet: networks, and hosts by their names.
type Allow struct {
	networks []netip.Prefix
	hosts    []string
}

// ParseAllow reads a list of networks, addresses and host names.
func ParseAllow(entries []string) (Allow, error) {
	var a Allow
	for _, e := range entries {
		if at, err := netip.ParseAddr(e); err == nil {
			at = at.Unmap()
			a.networks = append(a.networks, netip.PrefixFrom(at, at.BitLen()))
			continue
		}
		if n, err := netip.ParsePrefix(e); err == nil {
			a.networks = append(a.networks, n.Masked())
			continue
		}
		if !isHost(e) {
			return a, fmt.Errorf("%q is no network, such as 10.0.0.0/8, no address and no host name", e)
		}
		a.hosts = append(a.hosts, canonical(e))
	}
	return a, nil
}

func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// isHost reports whether a text is a host name (RFC 1123 §2.1) that is no number.
func isHost(text string) bool {
	digits := true
	for label := range strings.SplitSeq(canonical(text), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
		digits = !strings.ContainsFunc(label, func(r rune) bool { return r < '0' || r > '9' })
	}
	return !digits && len(text) <= 253
}

// host reports whether a host may be sent to, whatever its addresses are.
func (a Allow) host(name string) bool { return slices.Contains(a.hosts, canonical(name)) }

// network reports whether an address is in a network that may be sent to.
func (a Allow) network(at netip.Addr) bool {
	return slices.ContainsFunc(a.networks, func(n netip.Prefix) bool { return n.Contains(at) })
}

// notPublic are the networks of the registries of special addresses (IANA, IPv4 and IPv6 Special-Purpose Address Registry) that net/netip has
// no word for, and those in which another address is hidden: what they lead to cannot be seen from here.
var notPublic = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"168.63.129.16/32", // of Azure's machines alone
	"64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var allOfIPv6 = netip.MustParsePrefix("2000::/3") // that is given to anybody (RFC 4291 §2.4)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// public reports whether an address is one of the public internet.
func public(at netip.Addr) bool {
	return at.IsGlobalUnicast() && !at.IsPrivate() && (at.Is4() || allOfIPv6.Contains(at)) &&
		!slices.ContainsFunc(notPublic, func(n netip.Prefix) bool { return n.Contains(at) })
}

// errRefused is what a connection fails with that would lead into a network that may not be sent to.
var errRefused = errors.New("the address is not one of the public internet")

// address says whether an address may be sent to.
func (a Allow) address(at netip.Addr) error {
	at = at.Unmap().WithZone("")
	if a.network(at) || public(at) {
		return nil
	}
	return errRefused
}

// Check says what is wrong with a URL that messages are to be sent to; "" for nothing. Where its name leads is looked at when it is sent to.
func (a Allow) Check(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		return "This is not a URL such as https://example.org/hook."
	case u.User != nil:
		return "A URL with a name and a password is not taken: the signature says whom a message is from."
	case u.Fragment != "":
		return "A fragment is not sent: leave it out."
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "It holds characters that a URL spells otherwise."
	}
	return a.checkHost(u.Scheme, u.Hostname(), u.Port())
}

func (a Allow) checkHost(scheme, host, port string) string {
	allowed := a.host(host)
	if at, err := netip.ParseAddr(host); err == nil {
		allowed = a.network(at.Unmap().WithZone(""))
		if a.address(at) != nil {
			return "This address is not one of the public internet."
		}
	} else if !isHost(host) {
		return "This is not the name of a host."
	}
	if _, err := net.LookupPort("tcp", port); port != "" && err != nil || port == "0" {
		return "This is not a port."
	}
	if scheme == "http" && !allowed {
		return "It has to be https."
	}
	return ""
}
