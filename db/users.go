package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// User is a row of users.
type User struct {
	ID          uuid.UUID
	Number      int
	Username    string
	UsernameKey string
	Email       string
	EmailKey    string
	FullName    string
	FullNameKey string
	ExternalID  *string
	Roles       []string
	CreatedAt   time.Time
}

// userColumns are the columns of a user under an alias, wherever in T the user is kept.
func userColumns[T any](alias, prefix string, of func(*T) *User) map[string]column[T] {
	return map[string]column[T]{
		prefix + "id":            {alias + ".id", func(r *T) any { return &of(r).ID }},
		prefix + "number":        {alias + ".number", func(r *T) any { return &of(r).Number }},
		prefix + "username":      {alias + ".username", func(r *T) any { return &of(r).Username }},
		prefix + "username_key":  {alias + ".username_key", func(r *T) any { return &of(r).UsernameKey }},
		prefix + "email":         {alias + ".email", func(r *T) any { return &of(r).Email }},
		prefix + "email_key":     {alias + ".email_key", func(r *T) any { return &of(r).EmailKey }},
		prefix + "full_name":     {alias + ".full_name", func(r *T) any { return &of(r).FullName }},
		prefix + "full_name_key": {alias + ".full_name_key", func(r *T) any { return &of(r).FullNameKey }},
		prefix + "external_id":   {alias + ".external_id", func(r *T) any { return &of(r).ExternalID }},
		prefix + "roles":         {alias + ".roles", func(r *T) any { return pgdialect.Array(&of(r).Roles) }},
		prefix + "created_at":    {alias + ".created_at", func(r *T) any { return &of(r).CreatedAt }},
	}
}

// Users is the table of users.
var Users = &Table[User]{
	from: "users u", unique: "USERNAME",
	columns: userColumns("u", "", func(u *User) *User { return u }),
	keys: map[string]key[User]{
		idKey:        {"u.id", "?::uuid", "id", func(b []byte, r *User) []byte { return appendUUID(b, r.ID) }},
		"USERNAME":   {"u.username_key", fold, "username", func(b []byte, r *User) []byte { return append(b, r.Username...) }},
		"CREATED_AT": {"u.created_at", "?::timestamptz", "created_at", func(b []byte, r *User) []byte { return appendTime(b, r.CreatedAt) }},
		"FULL_NAME":  {"u.full_name_key", "?::text", "full_name_key", func(b []byte, r *User) []byte { return append(b, r.FullNameKey...) }},
		"EMAIL":      {"u.email_key", "?::text", "email_key", func(b []byte, r *User) []byte { return append(b, r.EmailKey...) }},
	},
}

// What users can be filtered by.
var (
	UserID         = Column{"u.id", "uuid"}
	UserUsername   = Text("u.username_key")
	UserEmail      = Text("u.email_key")
	UserFullName   = Text("u.full_name_key")
	UserExternalID = Text("u.external_id_key")
	UserSearch     = Text("u.search_key")
	UserCreatedAt  = Column{"u.created_at", "timestamptz"}
)

// UserHasRole holds for users with the role.
func UserHasRole(role string) Cond {
	return choice("(u.roles <> '{}' AND u.roles @> ARRAY[?::text])", role)
}

// UserRef names a user in one of five ways; the empty ones do not count.
type UserRef struct {
	ID         uuid.UUID
	Number     int
	Username   string
	ExternalID string
}

// FoundUser is the user that the reference at Index named: its id, its name and its roles.
type FoundUser struct {
	Index int
	Later bool // it was written by a transaction that comes after this one in the change log
	User
}

func waysToUsers(refs []UserRef) []way {
	ws := waysFor(len(refs), way{name: "id", typ: "uuid", is: "id = r.id"}, way{name: "number", typ: "int", is: "number = r.number"},
		way{name: "username", typ: "text", is: `username_key = lower(r.username) COLLATE "C"`},
		way{name: "external_id", typ: "text", is: "external_id = r.external_id"})
	for i, r := range refs {
		ws[0].put(i, uuidKey(r.ID))
		ws[1].put(i, numberKey(r.Number))
		ws[2].put(i, r.Username)
		ws[3].put(i, r.ExternalID)
	}
	return ws
}

// FindUsers finds the users that references name, in one statement. What is not found is not in the answer.
func (s *Store) FindUsers(ctx context.Context, refs []UserRef) ([]FoundUser, error) {
	text, args := findBy(waysToUsers(refs), "users", "id, username, age(xmin) < 0, nullif(roles, '{}')")
	if text == "" {
		return nil, nil
	}
	found := make([]FoundUser, 0, len(refs))
	err := s.compared(ctx, text, args, func(values []driver.Value) error {
		found = append(found, FoundUser{})
		f := &found[len(found)-1]
		err := assignAll([]any{&f.Index, &f.ID, &f.Username, &f.Later}, values)
		f.Index--
		if roles := values[4]; err == nil && roles != nil { // nearly nobody has any
			err = pgdialect.Array(&f.Roles).Scan(roles)
		}
		return err
	})
	return found, err
}

// InsertUsers writes users and fills in their number, folded name and time. A user whose name is already taken is left out
// of the answer: somebody else was faster.
func (s *Store) InsertUsers(ctx context.Context, us []User) ([]User, error) {
	ids, names := make([]uuid.UUID, len(us)), make([]string, len(us))
	emails, fulls, externals, roles := make([]string, len(us)), make([]string, len(us)), make([]string, len(us)), make([]string, len(us))
	byID := make(map[uuid.UUID]User, len(us))
	for i, u := range us {
		ids[i], names[i], emails[i], fulls[i] = u.ID, u.Username, u.Email, u.FullName
		if u.ExternalID != nil {
			externals[i] = *u.ExternalID
		}
		roles[i] = Strings(u.Roles).(string)
		byID[u.ID] = u
	}
	var done []User
	err := s.each(ctx, `INSERT INTO users (id, username, username_key, email, full_name, external_id, roles)
		SELECT id, username, lower(username), email, full_name, external_id, roles::text[]
		FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) n(id, username, email, full_name, external_id, roles)
		ORDER BY lower(username) COLLATE "C"
		ON CONFLICT (username_key) DO NOTHING
		RETURNING id, number, username_key, created_at`,
		[]any{UUIDs(ids), Strings(names), Strings(emails), Strings(fulls), nullable(externals), Strings(roles)}, func(rows *sql.Rows) error {
			var id uuid.UUID
			var number int
			var nameKey string
			var at time.Time
			if err := rows.Scan(&id, &number, &nameKey, &at); err != nil {
				return err
			}
			u := byID[id]
			u.Number, u.UsernameKey, u.CreatedAt = number, nameKey, at
			done = append(done, u)
			return nil
		})
	return done, err
}

// LockUser locks a user for writing and reads it; false if there is none.
func (s *Store) LockUser(ctx context.Context, id uuid.UUID) (User, bool, error) {
	var u User
	ok, err := s.queryRow(ctx, `SELECT id, number, username, username_key, email, full_name, external_id, roles, created_at
		FROM users WHERE id = $1::uuid FOR UPDATE`, []any{id.String()},
		&u.ID, &u.Number, &u.Username, &u.UsernameKey, &u.Email, &u.FullName, &u.ExternalID, pgdialect.Array(&u.Roles), &u.CreatedAt)
	return u, ok, err
}

// UpdateUser writes the user's fields; a new name reaches members and admins through their foreign keys.
func (s *Store) UpdateUser(ctx context.Context, u *User) error {
	err := s.exec(ctx, `UPDATE users SET username = $2, username_key = lower($2), email = $3, full_name = $4, external_id = $5,
		roles = $6::text[] WHERE id = $1::uuid`, u.ID.String(), u.Username, u.Email, u.FullName, u.ExternalID, Strings(u.Roles))
	return err
}

// DeleteUser removes the user; its memberships, admin rows and tokens go with it.
func (s *Store) DeleteUser(ctx context.Context, id uuid.UUID) error {
	err := s.exec(ctx, "DELETE FROM users WHERE id = $1::uuid", id.String())
	return err
}

// UserKey is the key that a reference names a user by.
func UserKey(r UserRef) Key {
	switch {
	case r.ID != uuid.Nil:
		return Key{column: "u.id", typ: "uuid", value: r.ID.String()}
	case r.Number != 0:
		return Key{column: "u.number", typ: "integer", value: strconv.Itoa(r.Number)}
	case r.Username != "":
		return Key{column: "u.username_key", typ: "text", folded: true, value: r.Username}
	case r.ExternalID != "":
		return Key{column: "u.external_id", typ: "text", value: r.ExternalID}
	}
	return Key{}
}

// UserIs holds for the user that a reference names.
func UserIs(r UserRef) Cond { return only(UserKey(r)) }
