package graph

import "roster/internal/directory"

// ApplyChangesInput is the input of applyChanges.
type ApplyChangesInput struct {
	Changes          []*ChangeInput
	ExpectedVersions []*directory.ExpectedVersionInput
	DryRun           bool
}

func (in ApplyChangesInput) directory() directory.ApplyChangesInput {
	changes := make([]*directory.ChangeInput, len(in.Changes))
	for i, c := range in.Changes {
		changes[i] = c.directory()
	}
	return directory.ApplyChangesInput{Changes: changes, ExpectedVersions: in.ExpectedVersions, DryRun: in.DryRun}
}

// ChangeInput is one write of many.
type ChangeInput struct {
	CreateGroup       *directory.CreateGroupInput
	UpdateGroup       *UpdateGroupInput
	DeleteGroup       *directory.DeleteGroupInput
	RestoreGroup      *RestoreGroupInput
	AddMembers        *directory.AddMembersInput
	RemoveMembers     *directory.RemoveMembersInput
	SetMembers        *directory.SetMembersInput
	SetUserGroups     *directory.SetUserGroupsInput
	AddAdmins         *directory.AddAdminsInput
	RemoveAdmins      *directory.RemoveAdminsInput
	TransferAdmin     *directory.TransferAdminInput
	RevokeToken       *directory.RevokeTokenInput
	CreateUser        *directory.CreateUserInput
	UpdateUser        *UpdateUserInput
	DeleteUser        *directory.DeleteUserInput
	PutAction         *directory.PutActionInput
	DeleteAction      *directory.DeleteActionInput
	PutWorkerModel    *directory.PutWorkerModelInput
	DeleteWorkerModel *directory.DeleteWorkerModelInput
}

func (c *ChangeInput) directory() *directory.ChangeInput {
	out := &directory.ChangeInput{
		CreateGroup: c.CreateGroup, DeleteGroup: c.DeleteGroup, AddMembers: c.AddMembers, RemoveMembers: c.RemoveMembers,
		SetMembers: c.SetMembers, SetUserGroups: c.SetUserGroups, AddAdmins: c.AddAdmins, RemoveAdmins: c.RemoveAdmins,
		TransferAdmin: c.TransferAdmin, RevokeToken: c.RevokeToken, CreateUser: c.CreateUser, DeleteUser: c.DeleteUser, PutAction: c.PutAction,
		DeleteAction: c.DeleteAction, PutWorkerModel: c.PutWorkerModel, DeleteWorkerModel: c.DeleteWorkerModel,
	}
	if c.UpdateGroup != nil {
		in := c.UpdateGroup.directory()
		out.UpdateGroup = &in
	}
	if c.RestoreGroup != nil {
		in := c.RestoreGroup.directory()
		out.RestoreGroup = &in
	}
	if c.UpdateUser != nil {
		in := c.UpdateUser.directory()
		out.UpdateUser = &in
	}
	return out
}
