package graph

// THIS CODE WILL BE UPDATED WITH SCHEMA CHANGES. PREVIOUS IMPLEMENTATION FOR SCHEMA CHANGES WILL BE KEPT IN THE COMMENT SECTION. IMPLEMENTATION FOR UNCHANGED SCHEMA WILL BE KEPT.

import (
	"context"
	"roster/internal/auth"
	"roster/internal/directory"
)


func (r *actionResolver) Group(ctx context.Context, obj *directory.Action) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *addAdminsPayloadResolver) Group(ctx context.Context, obj *directory.Payload) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *addAdminsPayloadResolver) Outcomes(ctx context.Context, obj *directory.Payload) ([]*directory.MemberOutcome, error) {
	return linked[[]*directory.MemberOutcome](ctx, obj)
}

func (r *addAdminsPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *addMembersPayloadResolver) Group(ctx context.Context, obj *directory.Payload) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *addMembersPayloadResolver) Outcomes(ctx context.Context, obj *directory.Payload) ([]*directory.MemberOutcome, error) {
	return linked[[]*directory.MemberOutcome](ctx, obj)
}

func (r *addMembersPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *adminResolver) Group(ctx context.Context, obj *directory.Admin) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *adminResolver) User(ctx context.Context, obj *directory.Admin) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *adminResolver) GrantedBy(ctx context.Context, obj *directory.Admin) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *changeResolver) Group(ctx context.Context, obj *directory.Change) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *changeResolver) User(ctx context.Context, obj *directory.Change) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *createGroupPayloadResolver) Group(ctx context.Context, obj *directory.Payload) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *createGroupPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *createTokenPayloadResolver) Token(ctx context.Context, obj *directory.Payload) (*directory.Token, error) {
	return linked[*directory.Token](ctx, obj)
}

func (r *createTokenPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *createUserPayloadResolver) User(ctx context.Context, obj *directory.Payload) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *createUserPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *deleteActionPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *deleteGroupPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *deleteUserPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *deleteWorkerModelPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *groupResolver) FolderOwner(ctx context.Context, obj *directory.Group) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *groupResolver) CreatedBy(ctx context.Context, obj *directory.Group) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *groupResolver) Members(ctx context.Context, obj *directory.Group, first *int, after *string, last *int, before *string, filter *directory.MemberFilter, orderBy []*directory.Ordering[directory.MemberOrderField]) (*directory.Connection[directory.Member], error) {
	return linked[*directory.Connection[directory.Member]](ctx, obj)
}

func (r *groupResolver) Admins(ctx context.Context, obj *directory.Group, first *int, after *string, last *int, before *string, filter *directory.MemberFilter, orderBy []*directory.Ordering[directory.MemberOrderField]) (*directory.Connection[directory.Admin], error) {
	return linked[*directory.Connection[directory.Admin]](ctx, obj)
}

func (r *groupResolver) Tokens(ctx context.Context, obj *directory.Group, first *int, after *string, last *int, before *string, filter *directory.TokenFilter, orderBy []*directory.Ordering[directory.TokenOrderField]) (*directory.Connection[directory.Token], error) {
	return linked[*directory.Connection[directory.Token]](ctx, obj)
}

func (r *groupResolver) Actions(ctx context.Context, obj *directory.Group, first *int, after *string, last *int, before *string) (*directory.Connection[directory.Action], error) {
	return linked[*directory.Connection[directory.Action]](ctx, obj)
}

func (r *groupResolver) WorkerModels(ctx context.Context, obj *directory.Group, first *int, after *string, last *int, before *string) (*directory.Connection[directory.WorkerModel], error) {
	return linked[*directory.Connection[directory.WorkerModel]](ctx, obj)
}

func (r *groupResolver) Changes(ctx context.Context, obj *directory.Group, first *int, after *string) (*directory.Connection[directory.Change], error) {
	return linked[*directory.Connection[directory.Change]](ctx, obj)
}

func (r *groupOutcomeResolver) Group(ctx context.Context, obj *directory.GroupOutcome) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *memberResolver) Group(ctx context.Context, obj *directory.Member) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *memberResolver) User(ctx context.Context, obj *directory.Member) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *memberResolver) AddedBy(ctx context.Context, obj *directory.Member) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *memberOutcomeResolver) User(ctx context.Context, obj *directory.MemberOutcome) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *mutationResolver) CreateGroup(ctx context.Context, input directory.CreateGroupInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.CreateGroup, input)
}

func (r *mutationResolver) UpdateGroup(ctx context.Context, input UpdateGroupInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.UpdateGroup, input.directory())
}

func (r *mutationResolver) DeleteGroup(ctx context.Context, input directory.DeleteGroupInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.DeleteGroup, input)
}

func (r *mutationResolver) AddMembers(ctx context.Context, input directory.AddMembersInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.AddMembers, input)
}

func (r *mutationResolver) RemoveMembers(ctx context.Context, input directory.RemoveMembersInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.RemoveMembers, input)
}

func (r *mutationResolver) SetMembers(ctx context.Context, input directory.SetMembersInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.SetMembers, input)
}

func (r *mutationResolver) SetUserGroups(ctx context.Context, input directory.SetUserGroupsInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.SetUserGroups, input)
}

func (r *mutationResolver) AddAdmins(ctx context.Context, input directory.AddAdminsInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.AddAdmins, input)
}

func (r *mutationResolver) RemoveAdmins(ctx context.Context, input directory.RemoveAdminsInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.RemoveAdmins, input)
}

func (r *mutationResolver) CreateToken(ctx context.Context, input directory.CreateTokenInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.CreateToken, input)
}

func (r *mutationResolver) RotateToken(ctx context.Context, input directory.RotateTokenInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.RotateToken, input)
}

func (r *mutationResolver) RevokeToken(ctx context.Context, input directory.RevokeTokenInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.RevokeToken, input)
}

func (r *mutationResolver) CreateUser(ctx context.Context, input directory.CreateUserInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.CreateUser, input)
}

func (r *mutationResolver) UpdateUser(ctx context.Context, input UpdateUserInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.UpdateUser, input.directory())
}

func (r *mutationResolver) DeleteUser(ctx context.Context, input directory.DeleteUserInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.DeleteUser, input)
}

func (r *mutationResolver) PutAction(ctx context.Context, input directory.PutActionInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.PutAction, input)
}

func (r *mutationResolver) DeleteAction(ctx context.Context, input directory.DeleteActionInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.DeleteAction, input)
}

func (r *mutationResolver) PutWorkerModel(ctx context.Context, input directory.PutWorkerModelInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.PutWorkerModel, input)
}

func (r *mutationResolver) DeleteWorkerModel(ctx context.Context, input directory.DeleteWorkerModelInput) (*directory.Payload, error) {
	return planned(ctx, r.dir.DeleteWorkerModel, input)
}

func (r *putActionPayloadResolver) Action(ctx context.Context, obj *directory.Payload) (*directory.Action, error) {
	return linked[*directory.Action](ctx, obj)
}

func (r *putActionPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *putWorkerModelPayloadResolver) WorkerModel(ctx context.Context, obj *directory.Payload) (*directory.WorkerModel, error) {
	return linked[*directory.WorkerModel](ctx, obj)
}

func (r *putWorkerModelPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *queryResolver) Viewer(ctx context.Context) (*directory.Viewer, error) {
	return planned(ctx, r.dir.Viewer, struct{}{})
}

func (r *queryResolver) Node(ctx context.Context, id string) (directory.Object, error) {
	return found(ctx, r.dir.Node, id)
}

func (r *queryResolver) Nodes(ctx context.Context, ids []string) ([]directory.Object, error) {
	return found(ctx, r.dir.Nodes, ids)
}

func (r *queryResolver) Group(ctx context.Context, by directory.GroupRef) (*directory.Group, error) {
	return planned(ctx, r.dir.Group, by)
}

func (r *queryResolver) Groups(ctx context.Context, first *int, after *string, last *int, before *string, filter *directory.GroupFilter, orderBy []*directory.Ordering[directory.GroupOrderField]) (*directory.Connection[directory.Group], error) {
	return listed(ctx, r.dir.Groups, directory.PageArgs{First: first, After: after, Last: last, Before: before}, filter, orderBy)
}

func (r *queryResolver) User(ctx context.Context, by directory.UserRef) (*directory.User, error) {
	return planned(ctx, r.dir.User, by)
}

func (r *queryResolver) Users(ctx context.Context, first *int, after *string, last *int, before *string, filter *directory.UserFilter, orderBy []*directory.Ordering[directory.UserOrderField]) (*directory.Connection[directory.User], error) {
	return listed(ctx, r.dir.Users, directory.PageArgs{First: first, After: after, Last: last, Before: before}, filter, orderBy)
}

func (r *queryResolver) Tokens(ctx context.Context, first *int, after *string, last *int, before *string, filter *directory.TokenFilter, orderBy []*directory.Ordering[directory.TokenOrderField]) (*directory.Connection[directory.Token], error) {
	return listed(ctx, r.dir.Tokens, directory.PageArgs{First: first, After: after, Last: last, Before: before}, filter, orderBy)
}

func (r *queryResolver) CheckMemberships(ctx context.Context, pairs []*directory.MembershipPair) ([]*directory.MembershipCheck, error) {
	return r.dir.CheckMemberships(ctx, auth.CallerOf(ctx), pairs)
}

func (r *queryResolver) ExplainAccess(ctx context.Context, operation directory.Operation, group *directory.GroupRef) (*directory.AccessDecision, error) {
	return r.dir.ExplainAccess(ctx, auth.CallerOf(ctx), operation, group)
}

func (r *queryResolver) Changes(ctx context.Context, first *int, after *string, filter *directory.ChangeFilter) (*directory.Connection[directory.Change], error) {
	return listed(ctx, r.dir.Changes, directory.PageArgs{First: first, After: after}, filter, nil)
}

func (r *removeAdminsPayloadResolver) Group(ctx context.Context, obj *directory.Payload) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *removeAdminsPayloadResolver) Outcomes(ctx context.Context, obj *directory.Payload) ([]*directory.MemberOutcome, error) {
	return linked[[]*directory.MemberOutcome](ctx, obj)
}

func (r *removeAdminsPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *removeMembersPayloadResolver) Group(ctx context.Context, obj *directory.Payload) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *removeMembersPayloadResolver) Outcomes(ctx context.Context, obj *directory.Payload) ([]*directory.MemberOutcome, error) {
	return linked[[]*directory.MemberOutcome](ctx, obj)
}

func (r *removeMembersPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *revokeTokenPayloadResolver) Token(ctx context.Context, obj *directory.Payload) (*directory.Token, error) {
	return linked[*directory.Token](ctx, obj)
}

func (r *revokeTokenPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *rotateTokenPayloadResolver) Token(ctx context.Context, obj *directory.Payload) (*directory.Token, error) {
	return linked[*directory.Token](ctx, obj)
}

func (r *rotateTokenPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *setMembersPayloadResolver) Group(ctx context.Context, obj *directory.Payload) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *setMembersPayloadResolver) Outcomes(ctx context.Context, obj *directory.Payload) ([]*directory.MemberOutcome, error) {
	return linked[[]*directory.MemberOutcome](ctx, obj)
}

func (r *setMembersPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *setUserGroupsPayloadResolver) User(ctx context.Context, obj *directory.Payload) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *setUserGroupsPayloadResolver) Outcomes(ctx context.Context, obj *directory.Payload) ([]*directory.GroupOutcome, error) {
	return linked[[]*directory.GroupOutcome](ctx, obj)
}

func (r *setUserGroupsPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *tokenResolver) Owner(ctx context.Context, obj *directory.Token) (directory.TokenOwner, error) {
	return linked[directory.TokenOwner](ctx, obj)
}

func (r *tokenResolver) CreatedBy(ctx context.Context, obj *directory.Token) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *updateGroupPayloadResolver) Group(ctx context.Context, obj *directory.Payload) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *updateGroupPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *updateUserPayloadResolver) User(ctx context.Context, obj *directory.Payload) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *updateUserPayloadResolver) Changes(ctx context.Context, obj *directory.Payload) ([]*directory.Change, error) {
	return linked[[]*directory.Change](ctx, obj)
}

func (r *userResolver) Groups(ctx context.Context, obj *directory.User, first *int, after *string, last *int, before *string, filter *directory.GroupFilter, orderBy []*directory.Ordering[directory.GroupOrderField]) (*directory.Connection[directory.Group], error) {
	return linked[*directory.Connection[directory.Group]](ctx, obj)
}

func (r *viewerResolver) User(ctx context.Context, obj *directory.Viewer) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *viewerResolver) Token(ctx context.Context, obj *directory.Viewer) (*directory.Token, error) {
	return linked[*directory.Token](ctx, obj)
}

func (r *viewerResolver) Groups(ctx context.Context, obj *directory.Viewer, first *int, after *string, last *int, before *string, filter *directory.GroupFilter, orderBy []*directory.Ordering[directory.GroupOrderField]) (*directory.Connection[directory.Group], error) {
	return linked[*directory.Connection[directory.Group]](ctx, obj)
}

func (r *workerModelResolver) Group(ctx context.Context, obj *directory.WorkerModel) (*directory.Group, error) {
	return linked[*directory.Group](ctx, obj)
}

func (r *workerModelResolver) CreatedBy(ctx context.Context, obj *directory.WorkerModel) (*directory.User, error) {
	return linked[*directory.User](ctx, obj)
}

func (r *Resolver) Action() ActionResolver { return &actionResolver{r} }

func (r *Resolver) AddAdminsPayload() AddAdminsPayloadResolver { return &addAdminsPayloadResolver{r} }

func (r *Resolver) AddMembersPayload() AddMembersPayloadResolver {
	return &addMembersPayloadResolver{r}
}

func (r *Resolver) Admin() AdminResolver { return &adminResolver{r} }

func (r *Resolver) Change() ChangeResolver { return &changeResolver{r} }

func (r *Resolver) CreateGroupPayload() CreateGroupPayloadResolver {
	return &createGroupPayloadResolver{r}
}

func (r *Resolver) CreateTokenPayload() CreateTokenPayloadResolver {
	return &createTokenPayloadResolver{r}
}

func (r *Resolver) CreateUserPayload() CreateUserPayloadResolver {
	return &createUserPayloadResolver{r}
}

func (r *Resolver) DeleteActionPayload() DeleteActionPayloadResolver {
	return &deleteActionPayloadResolver{r}
}

func (r *Resolver) DeleteGroupPayload() DeleteGroupPayloadResolver {
	return &deleteGroupPayloadResolver{r}
}

func (r *Resolver) DeleteUserPayload() DeleteUserPayloadResolver {
	return &deleteUserPayloadResolver{r}
}

func (r *Resolver) DeleteWorkerModelPayload() DeleteWorkerModelPayloadResolver {
	return &deleteWorkerModelPayloadResolver{r}
}

func (r *Resolver) Group() GroupResolver { return &groupResolver{r} }

func (r *Resolver) GroupOutcome() GroupOutcomeResolver { return &groupOutcomeResolver{r} }

func (r *Resolver) Member() MemberResolver { return &memberResolver{r} }

func (r *Resolver) MemberOutcome() MemberOutcomeResolver { return &memberOutcomeResolver{r} }

func (r *Resolver) Mutation() MutationResolver { return &mutationResolver{r} }

func (r *Resolver) PutActionPayload() PutActionPayloadResolver { return &putActionPayloadResolver{r} }

func (r *Resolver) PutWorkerModelPayload() PutWorkerModelPayloadResolver {
	return &putWorkerModelPayloadResolver{r}
}

func (r *Resolver) Query() QueryResolver { return &queryResolver{r} }

func (r *Resolver) RemoveAdminsPayload() RemoveAdminsPayloadResolver {
	return &removeAdminsPayloadResolver{r}
}

func (r *Resolver) RemoveMembersPayload() RemoveMembersPayloadResolver {
	return &removeMembersPayloadResolver{r}
}

func (r *Resolver) RevokeTokenPayload() RevokeTokenPayloadResolver {
	return &revokeTokenPayloadResolver{r}
}

func (r *Resolver) RotateTokenPayload() RotateTokenPayloadResolver {
	return &rotateTokenPayloadResolver{r}
}

func (r *Resolver) SetMembersPayload() SetMembersPayloadResolver {
	return &setMembersPayloadResolver{r}
}

func (r *Resolver) SetUserGroupsPayload() SetUserGroupsPayloadResolver {
	return &setUserGroupsPayloadResolver{r}
}

func (r *Resolver) Token() TokenResolver { return &tokenResolver{r} }

func (r *Resolver) UpdateGroupPayload() UpdateGroupPayloadResolver {
	return &updateGroupPayloadResolver{r}
}

func (r *Resolver) UpdateUserPayload() UpdateUserPayloadResolver {
	return &updateUserPayloadResolver{r}
}

func (r *Resolver) User() UserResolver { return &userResolver{r} }

func (r *Resolver) Viewer() ViewerResolver { return &viewerResolver{r} }

func (r *Resolver) WorkerModel() WorkerModelResolver { return &workerModelResolver{r} }

type (
	actionResolver                   struct{ *Resolver }
	addAdminsPayloadResolver         struct{ *Resolver }
	addMembersPayloadResolver        struct{ *Resolver }
	adminResolver                    struct{ *Resolver }
	changeResolver                   struct{ *Resolver }
	createGroupPayloadResolver       struct{ *Resolver }
	createTokenPayloadResolver       struct{ *Resolver }
	createUserPayloadResolver        struct{ *Resolver }
	deleteActionPayloadResolver      struct{ *Resolver }
	deleteGroupPayloadResolver       struct{ *Resolver }
	deleteUserPayloadResolver        struct{ *Resolver }
	deleteWorkerModelPayloadResolver struct{ *Resolver }
	groupResolver                    struct{ *Resolver }
	groupOutcomeResolver             struct{ *Resolver }
	memberResolver                   struct{ *Resolver }
	memberOutcomeResolver            struct{ *Resolver }
	mutationResolver                 struct{ *Resolver }
	putActionPayloadResolver         struct{ *Resolver }
	putWorkerModelPayloadResolver    struct{ *Resolver }
	queryResolver                    struct{ *Resolver }
	removeAdminsPayloadResolver      struct{ *Resolver }
	removeMembersPayloadResolver     struct{ *Resolver }
	revokeTokenPayloadResolver       struct{ *Resolver }
	rotateTokenPayloadResolver       struct{ *Resolver }
	setMembersPayloadResolver        struct{ *Resolver }
	setUserGroupsPayloadResolver     struct{ *Resolver }
	tokenResolver                    struct{ *Resolver }
	updateGroupPayloadResolver       struct{ *Resolver }
	updateUserPayloadResolver        struct{ *Resolver }
	userResolver                     struct{ *Resolver }
	viewerResolver                   struct{ *Resolver }
	workerModelResolver              struct{ *Resolver }
)
