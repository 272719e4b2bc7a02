package enterprisetester_test

import (
	"testing"

	"roster/internal/legacy"
	"roster/internal/legacy/enterprisetester"
	"roster/internal/legacy/legacytest"
)

var kit = legacytest.Kit{Door: enterprisetester.New, OpenAPI: enterprisetester.OpenAPI()}

func TestScenarios(t *testing.T) {
	t.Parallel()
	legacytest.Run(t, kit, "testdata")
}

// TestPrefix runs the door where the vendor's own clients look for it.
func TestPrefix(t *testing.T) {
	t.Parallel()
	below := kit
	below.Setting = legacy.Setting{Prefix: "/EnterpriseTester"}
	legacytest.Run(t, below, "testdata/prefix")
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	legacytest.CheckOpenAPI(t, enterprisetester.New(nil), enterprisetester.OpenAPI())
}
