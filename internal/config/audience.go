package config

import (
	"fmt"
	"strconv"
)

// Audience says for whom something is: on for everybody, administrators, or off for nobody.
type Audience string

// parseAudience reads on, administrators and off, and what else is true or false.
func parseAudience(text string) (Audience, error) {
	if all, err := strconv.ParseBool(text); err == nil {
		return map[bool]Audience{true: "on", false: "off"}[all], nil
	}
	switch text {
	case "on", "administrators", "off":
		return Audience(text), nil
	}
	return "", fmt.Errorf("%q is none of on, administrators and off", text)
}
