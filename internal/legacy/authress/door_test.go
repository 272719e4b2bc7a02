package authress_test

import (
	"regexp"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/authress"
	"roster/internal/legacy/legacytest"
)

func newDoor(dir *directory.Service) legacy.Door { return authress.New(dir) }

var kit = legacytest.Kit{
	Door: newDoor, OpenAPI: authress.OpenAPI(),
	Masks: []legacytest.Mask{{Name: "cursor", Pattern: regexp.MustCompile(`cursor(?:":"|=)([A-Za-z0-9_-]{40,})`), Numbered: true}},
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	legacytest.Run(t, kit, "testdata")
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	legacytest.CheckOpenAPI(t, authress.New(nil), authress.OpenAPI())
}
