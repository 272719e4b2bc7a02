package config

import (
	"fmt"
	"net/url"
	"strings"
)

// Door says where a legacy API is served: everywhere at the root, nowhere, or below a prefix, for one host name.
type Door struct {
	Off          bool
	Host, Prefix string
}

// String is the setting's text.
func (d Door) String() string {
	switch {
	case d.Off:
		return "off"
	case d.Host+d.Prefix == "":
		return "on"
	}
	return d.Host + d.Prefix
}

// parseDoor reads on, off, /prefix, host or host/prefix.
func parseDoor(text string) (Door, error) {
	switch text {
	case "", "on":
		return Door{}, nil
	case "off":
		return Door{Off: true}, nil
	}
	host, prefix, found := strings.Cut(text, "/")
	if found {
		prefix = "/" + prefix
	}
	u, err := url.Parse("http://" + host + prefix)
	if err != nil || u.Host != host || u.Port() != "" || u.EscapedPath() != prefix || strings.HasSuffix(prefix, "/") ||
		strings.Contains(prefix, "//") || u.RawQuery != "" || strings.ContainsAny(text, " %*\t") {
		return Door{}, fmt.Errorf("%q is none of on, off, /prefix, host and host/prefix", text)
	}
	return Door{Host: strings.ToLower(host), Prefix: prefix}, nil
}
