package legacytest

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"roster/internal/directory"
)

// steps are the @ lines that every door has:
//
//	@user alice [fullName=…] [email=…] [externalId=…] [roles=A,B] [scopes=A,B]   a user with a token of that scopes; without scopes, of all
//	@group acme [description=…] [handle=…] [externalId=…] [accessType=…] [folderOwner=user] [useDefaultStorage=false] [public] [type=DIRECTORY]
//	            [members=a,b] [admins=c] [tags=key:value,…]
//	@token ci group=acme|user=alice [scopes=A,B] [description=…] [expiration=SESSION]
//	@revoke ci                       ends the token that @token or @user made
//	@member acme user=bob [expires=1h]
//	@action build [group=acme] [type=BUILTIN] [description=…] [requirements=JSON] [parameters=JSON] [disabled] [deprecated]
//	@model go group=acme [type=DOCKER] [docker=JSON] [virtualMachine=JSON] [capabilities=JSON] [disabled] [restricted] [deprecated] [by=alice]
//	@name acme {{uuid-3}}            gives a value a name of its own
//	@capture etag Etag: (.*)         gives what a pattern finds in the answer before a name, for requests; write . for a quote
//
// A user, group or token x has the names x.uuid, x.UUID (in capitals), x.id (its TypeID), x.number; a user and a token
// x.secret too, and a user x.token.uuid, x.token.id and x.token.number.
var steps map[string]Step

func init() { // the steps mention the table that they are in
	steps = map[string]Step{
		"user": userStep, "group": groupStep, "token": tokenStep, "revoke": revokeStep, "member": memberStep, "action": actionStep,
		"model": modelStep, "name": func(w *World, args []string) { w.Name(args[0], args[1]) }, "capture": captureStep,
	}
}

// options are key=value arguments; a lone key is true.
func options(args []string) map[string]string {
	o := map[string]string{}
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if !ok {
			v = "true"
		}
		o[k] = v
	}
	return o
}

func opt(o map[string]string, key string) *string {
	if v, ok := o[key]; ok {
		return &v
	}
	return nil
}

func flagged(o map[string]string, key string) *bool {
	v, ok := o[key]
	if !ok {
		return nil
	}
	b := v == "true"
	return &b
}

func list[T ~string](text string) []T {
	var out []T
	for v := range strings.SplitSeq(text, ",") {
		if v != "" {
			out = append(out, T(v))
		}
	}
	return out
}

func usersNamed(text string) []*directory.UserRef {
	refs := []*directory.UserRef{}
	for _, name := range list[string](text) {
		ref := directory.UserByName(name)
		refs = append(refs, &ref)
	}
	return refs
}

// Users are references to users by their names.
func Users(names ...string) []*directory.UserRef { return usersNamed(strings.Join(names, ",")) }

func userStep(w *World, args []string) {
	name, o := args[0], options(args[1:])
	p, err := w.Dir.CreateUser(w.T.Context(), directory.System(), directory.CreateUserInput{
		Username: name, FullName: opt(o, "fullName"), Email: opt(o, "email"), ExternalID: opt(o, "externalId"), Roles: list[directory.Role](o["roles"]),
	}, directory.Want(directory.Link{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"number"}}}))
	u := linked[*directory.User](w, p, err, "user")
	w.identify(name, u.UUID.String(), u.ID(), u.Number)
	w.makeToken(name+".token", name+".secret", directory.CreateTokenInput{User: &directory.UserRef{Username: &name}}, o)
}

func groupStep(w *World, args []string) {
	name, o := args[0], options(args[1:])
	in := directory.CreateGroupInput{Name: name, Handle: opt(o, "handle"), Description: opt(o, "description"), ExternalID: opt(o, "externalId"),
		Public: flagged(o, "public"), UseDefaultStorage: flagged(o, "useDefaultStorage"), Members: usersNamed(o["members"]), Admins: usersNamed(o["admins"]),
		AccessType: (*directory.AccessType)(opt(o, "accessType")), Type: directory.GroupType(o["type"])}
	if owner := opt(o, "folderOwner"); owner != nil {
		in.FolderOwner = &directory.UserRef{Username: owner}
	}
	for _, t := range list[string](o["tags"]) {
		k, v, _ := strings.Cut(t, ":")
		in.Tags = append(in.Tags, &directory.TagInput{Key: k, Value: v})
	}
	p, err := w.Dir.CreateGroup(w.T.Context(), directory.System(), in,
		directory.Want(directory.Link{Key: "group", Field: "group", Select: directory.Selection{Fields: []string{"number"}}}))
	g := linked[*directory.Group](w, p, err, "group")
	w.identify(name, g.UUID.String(), g.ID(), g.Number)
}

func tokenStep(w *World, args []string) {
	o := options(args[1:])
	var in directory.CreateTokenInput
	if g := opt(o, "group"); g != nil {
		in.Group = &directory.GroupRef{Name: g}
	} else {
		in.User = &directory.UserRef{Username: opt(o, "user")}
	}
	w.makeToken(args[0], args[0]+".secret", in, o)
}

func (w *World) makeToken(name, secret string, in directory.CreateTokenInput, o map[string]string) {
	w.T.Helper()
	expiration := directory.TokenExpirationPersistent
	if e := opt(o, "expiration"); e != nil {
		expiration = directory.TokenExpiration(*e)
	}
	in.Description, in.Expiration, in.Scopes = opt(o, "description"), &expiration, directory.Permissions
	if s, ok := o["scopes"]; ok {
		in.Scopes = append([]directory.Permission{}, list[directory.Permission](s)...)
	}
	p, err := w.Dir.CreateToken(w.T.Context(), directory.System(), in,
		directory.Want(directory.Link{Key: "token", Field: "token", Select: directory.Selection{Fields: []string{"number"}}}))
	t := linked[*directory.Token](w, p, err, "token")
	w.Name(secret, p.Secret)
	w.identify(name, t.UUID.String(), t.ID(), t.Number)
}

func revokeStep(w *World, args []string) {
	id, ok := w.names[args[0]+".token.id"]
	if !ok {
		id = w.Value(args[0] + ".id")
	}
	_, err := w.Dir.RevokeToken(w.T.Context(), directory.System(), directory.RevokeTokenInput{Token: id}, directory.Selection{})
	w.must(err)
}

func memberStep(w *World, args []string) {
	o := options(args[1:])
	in := directory.AddMembersInput{Group: directory.GroupByName(args[0]), Users: usersNamed(o["user"])}
	if e := opt(o, "expires"); e != nil {
		d, err := time.ParseDuration(*e)
		w.must(err)
		at := time.Now().Add(d)
		in.ExpiresAt = &at
	}
	_, err := w.Dir.AddMembers(w.T.Context(), directory.System(), in, directory.Selection{})
	w.must(err)
}

func actionStep(w *World, args []string) {
	o := options(args[1:])
	in := directory.PutActionInput{Name: args[0], Type: directory.ActionType(o["type"]), Description: opt(o, "description"), Deprecated: flagged(o, "deprecated")}
	if g := opt(o, "group"); g != nil {
		in.Group = &directory.GroupRef{Name: g}
	}
	if _, off := o["disabled"]; off {
		in.Enabled = new(bool)
	}
	w.fromJSON(o["requirements"], &in.Requirements)
	w.fromJSON(o["parameters"], &in.Parameters)
	_, err := w.Dir.PutAction(w.T.Context(), directory.System(), in, directory.Selection{})
	w.must(err)
}

func modelStep(w *World, args []string) {
	o := options(args[1:])
	in := directory.PutWorkerModelInput{Name: args[0], Group: directory.GroupRef{Name: opt(o, "group")}, Type: directory.WorkerModelTypeDocker,
		Description: opt(o, "description"), Image: opt(o, "image"), Disabled: flagged(o, "disabled"), Restricted: flagged(o, "restricted"),
		Deprecated: flagged(o, "deprecated")}
	if t := opt(o, "type"); t != nil {
		in.Type = directory.WorkerModelType(*t)
	}
	w.fromJSON(o["docker"], &in.Docker)
	w.fromJSON(o["virtualMachine"], &in.VirtualMachine)
	w.fromJSON(o["capabilities"], &in.RegisteredCapabilities)
	by := directory.System()
	if maker, ok := o["by"]; ok {
		by = w.Caller(maker, directory.DoorGraphQL)
	}
	_, err := w.Dir.PutWorkerModel(w.T.Context(), by, in, directory.Selection{})
	w.must(err)
}

func (w *World) fromJSON(text string, to any) {
	if text != "" {
		w.must(json.Unmarshal([]byte(strings.ReplaceAll(text, "'", `"`)), to)) // quotes keep words together: JSON has ' here
	}
}

func captureStep(w *World, args []string) {
	m := regexp.MustCompile(strings.Join(args[1:], " ")).FindStringSubmatch(w.last)
	if len(m) < 2 {
		w.T.Fatalf("@capture %s: nothing found", args[0])
	}
	w.names[args[0]] = m[1]
}

// Caller is a user of the world, or the holder of one of its tokens, as a caller through a door.
func (w *World) Caller(name string, via directory.Door) directory.Caller {
	w.T.Helper()
	by, err := w.Dir.AuthenticateNow(w.T.Context(), w.Value(name+".secret"))
	w.must(err)
	by.Via = via
	return by
}

func (w *World) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

func linked[T any](w *World, p *directory.Payload, err error, key string) T {
	w.T.Helper()
	w.must(err)
	o, err := directory.Linked[T](p, key)
	w.must(err)
	return o
}
