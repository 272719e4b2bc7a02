package entrust_test

import (
	"regexp"
	"testing"

	"roster/internal/legacy/entrust"
	"roster/internal/legacy/legacytest"
)

// kit tells times in whole seconds, which clients insist on, from all others: those would be {{time}}.
var kit = legacytest.Kit{
	Door:    entrust.New,
	OpenAPI: entrust.OpenAPI(),
	Masks: []legacytest.Mask{
		{Name: "cursor", Pattern: regexp.MustCompile(`"(?:next|prev)Cursor":"([^"]+)"`), Numbered: true},
		{Name: "second", Pattern: regexp.MustCompile(`"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"`)},
	},
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	legacytest.Run(t, kit, "testdata")
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	legacytest.CheckOpenAPI(t, entrust.New(nil), entrust.OpenAPI())
}
