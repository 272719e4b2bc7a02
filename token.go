package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"roster/internal/directory"
)

// token makes, lists, rotates and revokes tokens in Roster's own name: whoever can run it on the database needs no other right.
type token struct {
	user, group, scopes, expiration, description string
	list                                         bool
	revoke, rotate                               string
	overlap                                      time.Duration

	input directory.CreateTokenInput // what check made of them
}

func (t *token) flags(fs *flag.FlagSet) {
	fs.StringVar(&t.user, "user", "", "make a token of the user of this name")
	fs.StringVar(&t.group, "group", "", "make a token of the group of this name")
	fs.StringVar(&t.scopes, "scopes", "", "what it may be used for, by commas: "+strings.Join(names(directory.Permissions), ", ")+"; empty: all but TOKENS_EDIT")
	fs.StringVar(&t.expiration, "expiration", string(directory.TokenExpirationDaily), "how long it lives: SESSION (1 h), DAILY (24 h), PERSISTENT, or until a time, such as 2030-01-31T12:00:00Z")
	fs.StringVar(&t.description, "description", "", "what it is for")
	fs.BoolVar(&t.list, "list", false, "list all tokens; their secrets are not kept")
	fs.StringVar(&t.rotate, "rotate", "", "give the token of this id, tok_…, a new secret")
	fs.DurationVar(&t.overlap, "overlap", 0, "with -rotate: how long the old secret still works, such as 1h")
	fs.StringVar(&t.revoke, "revoke", "", "end the token of this id, tok_…, for good")
}

func (t *token) check(args []string) []string {
	problems := none(args)
	ways := 0
	for _, given := range []bool{t.user != "", t.group != "", t.list, t.rotate != "", t.revoke != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		problems = append(problems, "token wants one of -user, -group, -list, -rotate, -revoke")
	}
	if t.overlap != 0 && t.rotate == "" {
		problems = append(problems, "-overlap goes with -rotate")
	}
	t.input.Description = &t.description
	if t.user != "" {
		ref := directory.UserByName(t.user)
		t.input.User = &ref
	}
	if t.group != "" {
		ref := directory.GroupByName(t.group)
		t.input.Group = &ref
	}
	return append(problems, t.checkLife()...)
}

// checkLife reads the scopes and the expiration.
func (t *token) checkLife() []string {
	var problems []string
	for _, name := range strings.FieldsFunc(t.scopes, func(r rune) bool { return r == ',' || r == ' ' }) {
		p := directory.Permission(strings.ToUpper(name))
		if !slices.Contains(directory.Permissions, p) {
			problems = append(problems, fmt.Sprintf("-scopes: there is no scope %q", name))
		}
		t.input.Scopes = append(t.input.Scopes, p)
	}
	e := directory.TokenExpiration(strings.ToUpper(t.expiration))
	switch e {
	case directory.TokenExpirationSession, directory.TokenExpirationDaily, directory.TokenExpirationPersistent:
	default:
		e = directory.TokenExpirationCustom
		at, err := time.Parse(time.RFC3339, t.expiration)
		if err != nil {
			problems = append(problems, fmt.Sprintf("-expiration: %q is none of SESSION, DAILY, PERSISTENT, nor a time such as 2030-01-31T12:00:00Z", t.expiration))
		}
		t.input.ExpiresAt = &at
	}
	t.input.Expiration = &e
	return problems
}

func (t *token) do(ctx context.Context, p *program) error {
	return p.withDirectory(ctx, func(_ *database, dir *directory.Service) error {
		switch {
		case t.list:
			return p.listTokens(ctx, dir)
		case t.revoke != "":
			return p.revokeToken(ctx, dir, t.revoke)
		case t.rotate != "":
			return p.rotateToken(ctx, dir, t.rotate, t.overlap)
		}
		return p.makeToken(ctx, dir, t.input)
	})
}

// makeToken prints the secret, and nothing else, on standard output, where a script can take it from.
func (p *program) makeToken(ctx context.Context, dir *directory.Service, in directory.CreateTokenInput) error {
	made, err := dir.CreateToken(ctx, directory.System(), in, directory.Selection{Links: []directory.Link{tokenLink}})
	if err != nil {
		return err
	}
	return p.showSecret(made)
}

// rotateToken prints the new secret as makeToken does.
func (p *program) rotateToken(ctx context.Context, dir *directory.Service, id string, overlap time.Duration) error {
	in := directory.RotateTokenInput{Token: id, OverlapSeconds: int(overlap / time.Second)}
	made, err := dir.RotateToken(ctx, directory.System(), in, directory.Selection{Links: []directory.Link{tokenLink}})
	if err != nil {
		return err
	}
	return p.showSecret(made)
}

func (p *program) showSecret(made *directory.Payload) error {
	t, err := directory.Linked[*directory.Token](made, tokenLink.Key)
	if err != nil {
		return err
	}
	until := "it is revoked"
	if t.ExpiresAt != nil {
		until = t.ExpiresAt.Format(time.RFC3339)
	}
	fmt.Fprintf(p.stderr, "%s for %s, until %s. The secret is shown this once:\n", t.ID(), strings.Join(names(t.Scopes), ", "), until)
	fmt.Fprintln(p.stdout, made.Secret)
	return nil
}

func (p *program) revokeToken(ctx context.Context, dir *directory.Service, id string) error {
	done, err := dir.RevokeToken(ctx, directory.System(), directory.RevokeTokenInput{Token: id}, directory.Selection{Links: []directory.Link{tokenLink}})
	if err != nil {
		return err
	}
	t, err := directory.Linked[*directory.Token](done, tokenLink.Key)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "%s is revoked since %s.\n", t.ID(), t.RevokedAt.Format(time.RFC3339))
	return nil
}

// listTokens prints a page after the other.
func (p *program) listTokens(ctx context.Context, dir *directory.Service) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tOWNER\tPREFIX\tSTATUS\tCREATED\tEXPIRES\tLAST USED\tDESCRIPTION")
	size := directory.MaxPage
	page := directory.Page{PageArgs: directory.PageArgs{First: &size}, Rows: true}
	for {
		tokens, err := dir.Tokens(ctx, directory.System(), page, tokenLink.Select)
		if err != nil {
			return err
		}
		for _, t := range tokens.Nodes() {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID(), ownerOf(t), t.Prefix, t.Status, day(&t.CreatedAt), day(t.ExpiresAt),
				day(t.LastUsedAt), t.Description)
		}
		if !tokens.PageInfo.HasNextPage {
			return w.Flush()
		}
		page.After = tokens.PageInfo.EndCursor
	}
}

// tokenLink is a token with what the command shows of it.
var tokenLink = directory.Link{Key: "token", Field: "token", Select: directory.Selection{
	Fields: []string{"prefix", "scopes", "status", "createdAt", "expiresAt", "lastUsedAt", "revokedAt", "description"},
	Links: []directory.Link{{Key: "owner", Field: "owner", ByType: map[string]directory.Selection{
		"User":  {Fields: []string{"username"}},
		"Group": {Fields: []string{"name"}},
	}}},
}}

func ownerOf(t *directory.Token) string {
	owner, _ := directory.Linked[directory.TokenOwner](t, "owner") // it was selected
	switch o := owner.(type) {
	case *directory.User:
		return "user " + o.Username
	case *directory.Group:
		return "group " + o.Name
	}
	return ""
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.DateTime)
}

func names[T ~string](of []T) []string {
	texts := make([]string, len(of))
	for i, o := range of {
		texts[i] = string(o)
	}
	return texts
}
