package db

import (
	"container/list"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun/driver/pgdriver"
)

// This file is the one way to Postgres: pgdriver, which bare gives one caller the rows of another after a timeout, does
// not hear a cancellation and calls the commit of an aborted transaction a success. The rule that closes the first: a
// connection is only reused if every operation on it ended, with an answer from the server that was read to its end.

// poolOptions says where Postgres is and how patient to be. A zero timeout is none.
type poolOptions struct {
	URL                                            string
	MaxConns                                       int // 0: four for each processor, at least 16
	StatementTimeout, LockTimeout, IdleInTxTimeout time.Duration
	Pooled                                         bool
	OnDone                                         func(ctx context.Context, s Statement)
}

const (
	connectTimeout = 5 * time.Second // unless the URL has connect_timeout
	// readMargin is how much later than Postgres we give up on a statement. Postgres says why, a timeout here does not.
	readMargin = 5 * time.Second
	// bufferSize bounds what pgdriver reads as one word. An error text that is longer, and Postgres quotes bad input in
	// full, costs the connection and hides the SQLSTATE; pgdriver's own 4 kB are soon reached.
	bufferSize = 64 << 10
	// staleAfter is how long a connection may lie idle before it is pinged. Without that, a restart of Postgres fails
	// one request for every connection of the pool.
	staleAfter = time.Second
	// pingTimeout is short: a network that swallows everything must not cost a request a timeout for each connection.
	pingTimeout = time.Second
	// maxStatements bounds the prepared statements of a connection; the one unused for longest goes.
	maxStatements = 256
)

// openPool opens the database/sql pool behind everything: pgdriver inside the safe wrapper. Statements with arguments
// are prepared on each connection and kept; statements without go as they are.
func openPool(o poolOptions) (*sql.DB, error) {
	c, err := newConnector(o)
	if err != nil {
		return nil, err
	}
	n := o.MaxConns
	if n == 0 {
		n = max(16, 4*runtime.GOMAXPROCS(0))
	}
	pool := sql.OpenDB(c)
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n) // the default of 2 would reconnect all the time
	pool.SetConnMaxLifetime(30 * time.Minute)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return pool, nil
}

// safeConnector makes safe connections.
type safeConnector struct {
	conf  *pgdriver.Config
	setup string // the first statement of every connection
	hint  string // for a connection that fails
	stale time.Duration
	local string // the first statement of every transaction, behind a pooler; else ""
	done  func(ctx context.Context, s Statement)
}

func newConnector(o poolOptions) (*safeConnector, error) {
	if min(o.StatementTimeout, o.LockTimeout, o.IdleInTxTimeout, time.Duration(o.MaxConns)) < 0 {
		return nil, errors.New("db: a timeout or the number of connections is negative")
	}
	t, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	own := map[string]string{
		"statement_timeout":                   millis(o.StatementTimeout),
		"lock_timeout":                        millis(o.LockTimeout),
		"idle_in_transaction_session_timeout": millis(o.IdleInTxTimeout),
		// Cancelling closes the socket; only with this does Postgres look at it while a statement runs.
		"client_connection_check_interval": "500",
		"timezone":                         "UTC",
		// pgdriver reads times and bytes in these formats alone; a database or a role may have others.
		"datestyle":    "ISO, MDY",
		"bytea_output": "hex",
		// It refuses to connect without these; with others, its quoting of text would be unsafe.
		"client_encoding":             "UTF8",
		"standard_conforming_strings": "on",
	}
	for name := range t.settings {
		if _, taken := own[strings.ToLower(name)]; taken {
			return nil, fmt.Errorf("db: %s is not for the database URL to set", name)
		}
	}
	maps.Copy(own, t.settings)
	if o.StatementTimeout > 0 {
		t.conf.ReadTimeout = o.StatementTimeout + readMargin
		t.conf.WriteTimeout = t.conf.ReadTimeout
	}
	c := &safeConnector{conf: t.conf, setup: setupStatement(own, false), hint: t.hint, stale: staleAfter, done: o.OnDone}
	if o.Pooled {
		c.setup, c.local = "SELECT 1", setupStatement(own, true)
	}
	return c, nil
}

// millis rounds up, because Postgres takes 0 for no limit.
func millis(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

// setupStatement sets everything in one round trip; pgdriver has no startup parameters, and its own SETs take one each.
// local are settings of a transaction.
func setupStatement(settings map[string]string, local bool) string {
	quote := strings.NewReplacer("'", "''")
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		calls = append(calls, "set_config('"+name+"', '"+quote.Replace(settings[name])+"', "+strconv.FormatBool(local)+")")
	}
	return "SELECT " + strings.Join(calls, ", ")
}

// Driver returns pgdriver's own, which pgdriver.NewListener needs.
func (c *safeConnector) Driver() driver.Driver {
	return pgdriver.NewConnector(pgdriver.WithConfig(c.conf)).Driver()
}

// Connect dials, authenticates and sets the session up. pgdriver alone would not hear a cancellation, would wait forever
// for a server that accepts and says nothing, and would leave the socket of a refused connection open.
func (c *safeConnector) Connect(ctx context.Context) (driver.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, c.conf.DialTimeout)
	defer cancel()
	conf, sock := *c.conf, net.Conn(nil)
	stop := func() bool { return true }
	conf.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		s, err := c.conf.Dialer(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		sock, stop = s, context.AfterFunc(ctx, func() { _ = s.Close() })
		return &patientConn{Conn: s, limit: c.conf.ReadTimeout}, nil
	}
	conf.ReadTimeout = 0 // the socket's own affair: pgdriver would look at the clock for every row
	cn, err := pgdriver.NewConnector(pgdriver.WithConfig(&conf)).Connect(limited)
	if err == nil {
		_, err = cn.(*pgdriver.Conn).ExecContext(limited, c.setup, nil)
	}
	if !stop() && err == nil {
		err = net.ErrClosed
	}
	if err == nil {
		safe := newSafeConn(cn.(*pgdriver.Conn), c.stale, c.done)
		safe.local = c.local
		return safe, nil
	}
	if sock != nil {
		_ = sock.Close()
	}
	cause := contextError(ctx)
	switch {
	case isServerError(err):
		return nil, err
	case cause != nil:
		return nil, fmt.Errorf("%w: %w", cause, err)
	case contextError(limited) != nil: // not wrapped: this deadline is not the caller's
		err = fmt.Errorf("no connection within %v: %v", c.conf.DialTimeout, err) //nolint:errorlint // see above
	}
	return nil, &connError{fmt.Errorf("connecting to Postgres: %w%s", err, c.hint)}
}

// patientConn bounds each wait for something to read. Most rows are there already, and cost no look at the clock.
type patientConn struct {
	net.Conn
	limit time.Duration // of a wait; 0: none
	asked time.Time     // when reading has to end besides; zero: never
	until time.Time     // what the socket knows of it
}

// A read may be given up by deadlineStep earlier than asked, if that is a small part of the time it has.
const (
	deadlineStep = 100 * time.Millisecond
	deadlineFar  = 2 * time.Second
)

// SetReadDeadline bounds all reads from the next one on.
func (c *patientConn) SetReadDeadline(t time.Time) error {
	c.asked = t
	return nil
}

// Read moves the socket's deadline, if it matters.
func (c *patientConn) Read(p []byte) (int, error) {
	now, until := time.Now(), c.asked
	if by := now.Add(c.limit); c.limit > 0 && (until.IsZero() || by.Before(until)) {
		until = by
	}
	ahead := until.Sub(c.until)
	if ahead != 0 && (c.until.IsZero() || ahead < 0 || ahead >= deadlineStep || c.until.Sub(now) <= deadlineFar) {
		if err := c.Conn.SetReadDeadline(until); err != nil {
			return 0, err
		}
		c.until = until
	}
	return c.Conn.Read(p)
}

// connError is a connection that failed: a net.Error like any other.
type connError struct{ cause error }

func (e *connError) Error() string   { return "db: " + e.cause.Error() }
func (e *connError) Unwrap() error   { return e.cause }
func (e *connError) Temporary() bool { return true }
func (e *connError) Timeout() bool {
	var ne net.Error
	return errors.As(e.cause, &ne) && ne.Timeout()
}

var (
	// errAborted is a commit that changed nothing: a statement had failed before, and its error was dropped.
	errAborted = errors.New("db: commit of an aborted transaction")
	// errBusy is a statement begun before the rows of the last were closed. pgdriver would give it their answer.
	errBusy = errors.New("db: the connection is still reading rows; close them first")
	// errText is text that pgdriver would silently change: it drops NUL and replaces what is not UTF-8, so that two
	// names that differ become one.
	errText = errors.New("db: a text argument is not UTF-8 or contains NUL")
	// errNamed is an sql.Named argument. pgdriver would use its position and ignore its name.
	errNamed = errors.New("db: named arguments are not supported")
)

// safeConn is a connection. database/sql calls one method at a time, so only dead needs to be atomic: killing is what a
// cancelled context does, from a goroutine of its own.
type safeConn struct {
	pg   *pgdriver.Conn
	kill func() // closes the socket for good: pgdriver's read ends, and so does Postgres's statement
	dead atomic.Bool

	busy     bool      // an operation has begun and not ended
	used     time.Time // when the last one ended
	inTx     bool
	failure  error       // what last failed since BEGIN
	late     []*safeStmt // closed by the caller while rows were being read
	prepared map[string]*list.Element
	recent   list.List // of *cached, the latest used first
	stale    time.Duration
	values   []driver.Value // of the row being read (rows.go)

	local string // begins every transaction behind a pooler; "" without one
	auto  bool   // the transaction under way is that of one statement

	done func(ctx context.Context, s Statement) // nil: nobody wants to hear
	txOf context.Context                        // of the transaction: its end, which nothing cancels, is seen as its part
}

// What pgdriver's types can do, ours can: database/sql asks for these by type assertion, so a lost one fails silently.
var (
	_ driver.Connector          = (*safeConnector)(nil)
	_ driver.ConnPrepareContext = (*safeConn)(nil)
	_ driver.ConnBeginTx        = (*safeConn)(nil)
	_ driver.ExecerContext      = (*safeConn)(nil)
	_ driver.QueryerContext     = (*safeConn)(nil)
	_ driver.Pinger             = (*safeConn)(nil)
	_ driver.SessionResetter    = (*safeConn)(nil)
	_ driver.Validator          = (*safeConn)(nil)
	_ driver.Tx                 = safeTx{}
	_ pgStmt                    = (*safeStmt)(nil)
	_ driver.Rows               = (*safeRows)(nil)
	_ net.Error                 = (*connError)(nil)
)

func newSafeConn(pg *pgdriver.Conn, stale time.Duration, done func(context.Context, Statement)) *safeConn {
	c := &safeConn{pg: pg, used: time.Now(), prepared: map[string]*list.Element{}, stale: stale, done: done}
	c.kill = func() {
		c.dead.Store(true)
		_ = pg.Close()
	}
	return c
}

// gone also sees what pgdriver closed by itself, as it does when a plain statement is cancelled by Postgres (57014).
func (c *safeConn) gone() bool { return c.dead.Load() || !c.pg.IsValid() }

// IsValid is asked before the connection goes back to the pool. A busy one is not: something ended it halfway, such as
// a panic.
func (c *safeConn) IsValid() bool { return !c.busy && !c.gone() }

// Close closes the socket.
func (c *safeConn) Close() error {
	c.kill()
	return nil
}

// ResetSession is called when the connection comes out of the pool again. Any error but ErrBadConn would be ignored.
func (c *safeConn) ResetSession(ctx context.Context) error {
	if c.IsValid() && time.Since(c.used) > c.stale {
		ctx, cancel := context.WithTimeout(ctx, pingTimeout)
		defer cancel()
		_ = c.Ping(ctx) // a failure is fatal to the connection
	}
	if !c.IsValid() || c.pg.ResetSession(ctx) != nil {
		return driver.ErrBadConn
	}
	return nil
}

// Ping asks Postgres for a sign of life.
func (c *safeConn) Ping(ctx context.Context) error {
	_, err := c.ExecContext(ctx, "SELECT 1", nil)
	return err
}

// operation is a use of the connection, from the first byte sent until the last byte of the answer.
type operation struct {
	c    *safeConn
	ctx  context.Context
	stop func() bool

	text  string // of the statement
	args  bool   // they are not in the text
	began time.Time
}

// begin arms the cancellation. A context that is done already costs nothing but its error.
func (c *safeConn) begin(ctx context.Context, text string, args bool) (operation, error) {
	switch {
	case c.gone():
		return operation{}, driver.ErrBadConn
	case c.busy:
		return operation{}, errBusy
	}
	if err := contextError(ctx); err != nil {
		return operation{}, err
	}
	o := operation{c: c, ctx: ctx, text: text, args: args}
	if c.done != nil {
		o.began = time.Now()
	}
	if ctx.Done() != nil {
		o.stop = context.AfterFunc(ctx, c.kill)
	}
	c.busy = true
	return o, nil
}

// end takes the error the operation ended with and returns the one to report. After an error that is not the server's
// nobody knows what is still to be read, so that the connection is at its end. pgdriver knows this for plain statements
// only, which is how rows leaked.
func (o operation) end(err error) error {
	err = o.settle(err)
	if o.c.done != nil {
		o.tell(err)
	}
	return err
}

// settle is end, but for who wants to hear of it.
func (o operation) settle(err error) error {
	c := o.c
	if c.auto {
		err = c.endAuto(o.ctx, err)
	}
	if o.stop != nil && !o.stop() {
		c.dead.Store(true) // kill is running, perhaps only just
	}
	c.busy, c.used = false, time.Now()
	switch {
	case err == nil:
		c.closeLate()
		return nil
	case isServerError(err):
		if state(err, 'V') == "FATAL" || state(err, 'V') == "PANIC" {
			c.kill() // pgdriver forgets this too for prepared statements
		} else if state(err, 'C') != "25P02" { // which only says that something failed before
			c.failure = err
		}
		c.closeLate()
		return err // also if the context is done: Postgres has answered
	}
	c.kill()
	if cause := contextError(o.ctx); cause != nil {
		if errors.Is(err, driver.ErrBadConn) {
			return cause // to database/sql, ErrBadConn within would mean: try again
		}
		return fmt.Errorf("%w: %w", cause, err)
	}
	if err == driver.ErrBadConn { //nolint:errorlint // pgdriver returns it bare, and only if no byte was sent
		return err
	}
	if err == io.EOF { //nolint:errorlint // to database/sql, a bare EOF is the end of the rows
		err = io.ErrUnexpectedEOF
	}
	var ne net.Error
	if errors.As(err, &ne) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return &connError{fmt.Errorf("connection lost: %w", err)}
	}
	return fmt.Errorf("db: the driver could not go on: %w", err)
}

// contextError is ctx.Err, except that it does not wait for the timer: the socket has the same deadline and may be first.
func contextError(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func isServerError(err error) bool {
	var pe pgdriver.Error
	return errors.As(err, &pe)
}

// state is a field of a server error: 'C' is the SQLSTATE, 'V' the severity.
func state(err error, field byte) string {
	var pe pgdriver.Error
	errors.As(err, &pe)
	return pe.Field(field)
}

func checkArgs(args []driver.NamedValue) error {
	for i := range args {
		if args[i].Name != "" {
			return errNamed
		}
		if s, ok := args[i].Value.(string); ok && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			return errText
		}
	}
	return nil
}

// ExecContext runs a statement for its effect.
func (c *safeConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	o, err := c.begin(ctx, text, len(args) > 0)
	if err != nil {
		return nil, err
	}
	var r driver.Result
	if len(args) == 0 {
		r, err = c.pg.ExecContext(ctx, c.alone(text), nil)
	} else {
		err = c.withStatement(ctx, text, func(s pgStmt) error {
			r, err = s.ExecContext(ctx, args)
			return err
		})
	}
	return r, o.end(err)
}

// QueryContext runs a statement for its rows.
func (c *safeConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) > 0 || c.local != "" {
		return c.queryPrepared(ctx, text, args)
	}
	o, err := c.begin(ctx, text, false)
	if err != nil {
		return nil, err
	}
	r, err := c.pg.QueryContext(ctx, text, nil)
	if err != nil {
		return nil, o.end(err)
	}
	return &safeRows{pg: r, o: o}, nil
}

// queryPrepared runs a statement for its rows, prepared even if it has no arguments.
func (c *safeConn) queryPrepared(ctx context.Context, text string, args []driver.NamedValue) (*safeRows, error) {
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	o, err := c.begin(ctx, text, true)
	if err != nil {
		return nil, err
	}
	var r driver.Rows
	err = c.withStatement(ctx, text, func(s pgStmt) error {
		r, err = s.QueryContext(ctx, args)
		return err
	})
	if err != nil {
		return nil, o.end(err)
	}
	return &safeRows{pg: r, o: o}, nil
}
