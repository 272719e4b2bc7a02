package d4science_test

import (
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/d4science"
	"roster/internal/legacy/legacytest"
)

func newDoor(dir *directory.Service) legacy.Door { return d4science.New(dir) }

var kit = legacytest.Kit{Door: newDoor, OpenAPI: d4science.OpenAPI()}

func TestScenarios(t *testing.T) {
	t.Parallel()
	legacytest.Run(t, kit, "testdata")
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	legacytest.CheckOpenAPI(t, d4science.New(nil), d4science.OpenAPI())
}
