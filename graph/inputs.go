package graph

import (
	"github.com/99designs/gqlgen/graphql"

	"roster/internal/directory"
)

// UpdateGroupInput is the input of updateGroup: unlike the directory's, its fields are gqlgen's way of telling absent from null.
type UpdateGroupInput struct {
	Group             directory.GroupRef
	ExpectedVersion   *int
	Name              graphql.Omittable[*string]
	Description       graphql.Omittable[*string]
	ExternalID        graphql.Omittable[*string]
	AccessType        graphql.Omittable[*directory.AccessType]
	FolderOwner       graphql.Omittable[*directory.UserRef]
	UseDefaultStorage graphql.Omittable[*bool]
	Public            graphql.Omittable[*bool]
	Tags              graphql.Omittable[[]*directory.TagInput]
	DryRun            bool
}

func (in UpdateGroupInput) directory() directory.UpdateGroupInput {
	return directory.UpdateGroupInput{
		Group: in.Group, ExpectedVersion: in.ExpectedVersion, Name: optional(in.Name), Description: optional(in.Description),
		ExternalID: optional(in.ExternalID), AccessType: optional(in.AccessType), FolderOwner: optional(in.FolderOwner),
		UseDefaultStorage: optional(in.UseDefaultStorage), Public: optional(in.Public), Tags: optionalList(in.Tags), DryRun: in.DryRun,
	}
}

// RestoreGroupInput is the input of restoreGroup.
type RestoreGroupInput struct {
	Group      directory.GroupRef
	Name       *string
	Handle     *string
	ExternalID graphql.Omittable[*string]
	DryRun     bool
}

func (in RestoreGroupInput) directory() directory.RestoreGroupInput {
	return directory.RestoreGroupInput{Group: in.Group, Name: in.Name, Handle: in.Handle, ExternalID: optional(in.ExternalID), DryRun: in.DryRun}
}

// UpdateUserInput is the input of updateUser.
type UpdateUserInput struct {
	User       directory.UserRef
	Username   graphql.Omittable[*string]
	Email      graphql.Omittable[*string]
	FullName   graphql.Omittable[*string]
	ExternalID graphql.Omittable[*string]
	Roles      graphql.Omittable[[]directory.Role]
	DryRun     bool
}

func (in UpdateUserInput) directory() directory.UpdateUserInput {
	return directory.UpdateUserInput{
		User: in.User, Username: optional(in.Username), Email: optional(in.Email), FullName: optional(in.FullName),
		ExternalID: optional(in.ExternalID), Roles: optionalList(in.Roles), DryRun: in.DryRun,
	}
}

// UpdateWebhookInput is the input of updateWebhook.
type UpdateWebhookInput struct {
	Webhook        string
	URL            graphql.Omittable[*string]
	Description    graphql.Omittable[*string]
	Filter         graphql.Omittable[*directory.ChangeFilter]
	Enabled        graphql.Omittable[*bool]
	RotateSecret   bool
	OverlapSeconds int
	ReplayFrom     *string
	DryRun         bool
}

func (in UpdateWebhookInput) directory() directory.UpdateWebhookInput {
	return directory.UpdateWebhookInput{
		Webhook: in.Webhook, URL: optional(in.URL), Description: optional(in.Description), Filter: optional(in.Filter), Enabled: optional(in.Enabled),
		RotateSecret: in.RotateSecret, OverlapSeconds: in.OverlapSeconds, ReplayFrom: in.ReplayFrom, DryRun: in.DryRun,
	}
}

// optional turns gqlgen's way of telling absent from null into the directory's.
func optional[T any](o graphql.Omittable[*T]) directory.Optional[T] {
	return directory.Optional[T]{Set: o.IsSet(), Value: o.Value()}
}

func optionalList[T any](o graphql.Omittable[[]T]) directory.Optional[[]T] {
	list := o.Value()
	if list == nil {
		return directory.Optional[[]T]{Set: o.IsSet()}
	}
	return directory.Optional[[]T]{Set: true, Value: &list}
}
