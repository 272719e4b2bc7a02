// Bare is what Roster is measured against: the same answers, written by hand with net/http and pgx for the few requests
// that the benchmark sends, one prepared statement each. It authenticates nobody, allows everything and has no limits.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	url := flag.String("database-url", "", "where Postgres is")
	actor := flag.String("actor", "admin", "the username that writes are made in the name of")
	conns := flag.Int("conns", 16, "connections to Postgres")
	expiry := flag.Bool("expiry", true, "leave out memberships that have expired, as Roster does")
	flag.Parse()
	if err := serve(context.Background(), *url, *actor, *conns, newStatements(*expiry)); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, url, actor string, conns int, st statements) error {
	// One plan is good for all values of a statement, so that none has to be planned again; but for the search within names, whose
	// best plan depends on how rare the text is.
	pool, err := connect(ctx, url, conns, "force_generic_plan")
	if err != nil {
		return err
	}
	defer pool.Close()
	search, err := connect(ctx, url, conns, "force_custom_plan")
	if err != nil {
		return err
	}
	defer search.Close()
	s := &server{pool: pool, search: search, statements: st, actor: actor}
	if err := pool.QueryRow(ctx, "SELECT id FROM users WHERE username_key = $1", actor).Scan(&s.actorID); err != nil {
		return fmt.Errorf("the user %s: %w", actor, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	return http.Serve(l, s.routes())
}

func connect(ctx context.Context, url string, conns int, plans string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(conns)
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = plans
	return pgxpool.NewWithConfig(ctx, config)
}

// server answers requests.
type server struct {
	statements
	pool    *pgxpool.Pool
	search  *pgxpool.Pool
	actor   string
	actorID id
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /groups/{id}", handle(s.group))
	mux.HandleFunc("GET /groups", handle(s.groups))
	mux.HandleFunc("GET /teams", handle(s.teams))
	mux.HandleFunc("GET /users/{id}/groups", handle(s.groupsOfUser))
	mux.HandleFunc("POST /groups/{id}/add", handle(s.addMembers))
	mux.HandleFunc("POST /groups/{id}/remove", handle(s.removeMembers))
	return mux
}

// errBad is a request that makes no sense.
var errBad = errors.New("bad request")

// handle answers with the JSON of what f returns.
func handle[T any](f func(r *http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		switch {
		case errors.Is(err, errBad):
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		case errors.Is(err, pgx.ErrNoRows):
			http.Error(w, "not found", http.StatusNotFound)
			return
		case err != nil:
			fmt.Fprintln(os.Stderr, "bare:", err)
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		body, err := json.Marshal(data[T]{v})
		if err != nil {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}
}
