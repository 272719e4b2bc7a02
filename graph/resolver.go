package graph

import "roster/internal/directory"

// Resolver is the root of the resolvers: each is one call of the directory, or hands out what such a call has read.
type Resolver struct {
	dir   *directory.Service
	plans *plans
}
