package db

import (
	"cmp"
	"container/list"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path"
	"regexp"
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
	return &safeConnector{conf: t.conf, setup: setupStatement(own), hint: t.hint, stale: staleAfter}, nil
}

// millis rounds up, because Postgres takes 0 for no limit.
func millis(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

// setupStatement sets everything in one round trip; pgdriver has no startup parameters, and its own SETs take one each.
func setupStatement(settings map[string]string) string {
	quote := strings.NewReplacer("'", "''")
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		calls = append(calls, "set_config('"+name+"', '"+quote.Replace(settings[name])+"', false)")
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
		if err == nil {
			sock, stop = s, context.AfterFunc(ctx, func() { _ = s.Close() })
		}
		return s, err
	}
	cn, err := pgdriver.NewConnector(pgdriver.WithConfig(&conf)).Connect(limited)
	if err == nil {
		_, err = cn.(*pgdriver.Conn).ExecContext(limited, c.setup, nil)
	}
	if !stop() && err == nil {
		err = limited.Err()
	}
	if err == nil {
		return newSafeConn(cn.(*pgdriver.Conn), c.stale), nil
	}
	if sock != nil {
		_ = sock.Close()
	}
	switch {
	case isServerError(err):
		return nil, err
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
	case limited.Err() != nil: // not wrapped: this deadline is not the caller's
		err = fmt.Errorf("no connection within %v: %v", c.conf.DialTimeout, err) //nolint:errorlint // see above
	}
	return nil, &connError{fmt.Errorf("connecting to Postgres: %w%s", err, c.hint)}
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

func newSafeConn(pg *pgdriver.Conn, stale time.Duration) *safeConn {
	c := &safeConn{pg: pg, used: time.Now(), prepared: map[string]*list.Element{}, stale: stale}
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
}

// begin arms the cancellation. A context that is done already costs nothing but its error.
func (c *safeConn) begin(ctx context.Context) (operation, error) {
	switch {
	case c.gone():
		return operation{}, driver.ErrBadConn
	case c.busy:
		return operation{}, errBusy
	}
	if err := contextError(ctx); err != nil {
		return operation{}, err
	}
	o := operation{c: c, ctx: ctx}
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
	c := o.c
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
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	var r driver.Result
	if len(args) == 0 {
		r, err = c.pg.ExecContext(ctx, text, nil)
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
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	var r driver.Rows
	if len(args) == 0 {
		r, err = c.pg.QueryContext(ctx, text, nil)
	} else {
		err = c.withStatement(ctx, text, func(s pgStmt) error {
			r, err = s.QueryContext(ctx, args)
			return err
		})
	}
	if err != nil {
		return nil, o.end(err)
	}
	return &safeRows{pg: r, o: o}, nil
}

// pgStmt is what pgdriver's statements are.
type pgStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// cached is a prepared statement that the connection keeps.
type cached struct {
	text string
	stmt pgStmt
}

// withStatement runs a statement that has arguments, prepared: that saves Postgres from planning it again and again.
// And pgdriver would put the values into the text, but also wherever $1 stands in a comment or a quoted name, where a
// value can end the comment and go on as SQL.
func (c *safeConn) withStatement(ctx context.Context, text string, run func(pgStmt) error) error {
	s, err := c.statement(ctx, text)
	if err != nil {
		return err
	}
	err = run(s)
	if code := state(err, 'C'); code != "0A000" && code != "26000" {
		return err
	}
	// A migration has changed what the statement returns, or somebody has deallocated it. Nothing was done, so that it
	// can be repeated, except in a transaction, which is aborted.
	if ferr := c.forget(c.prepared[text]); ferr != nil {
		return ferr
	}
	if c.inTx {
		return err
	}
	if s, err = c.statement(ctx, text); err != nil {
		return err
	}
	return run(s)
}

func (c *safeConn) statement(ctx context.Context, text string) (pgStmt, error) {
	if e, ok := c.prepared[text]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*cached).stmt, nil
	}
	if c.recent.Len() >= maxStatements {
		if err := c.forget(c.recent.Back()); err != nil {
			return nil, err
		}
	}
	s, err := c.pg.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.prepared[text] = c.recent.PushFront(&cached{text, s.(pgStmt)})
	return s.(pgStmt), nil
}

func (c *safeConn) forget(e *list.Element) error {
	v := c.recent.Remove(e).(*cached)
	delete(c.prepared, v.text)
	return c.closeStmt(v.stmt)
}

// closeStmt closes a statement in Postgres. pgdriver does not end this exchange with a Sync; after an error Postgres
// would skip all until one comes, and the next statement would wait forever.
func (c *safeConn) closeStmt(s driver.Stmt) error {
	err := s.Close()
	if err != nil {
		c.kill()
	}
	return err
}

func (c *safeConn) closeLate() {
	for _, s := range c.late {
		if !c.gone() {
			_ = c.closeStmt(s.pg)
		}
	}
	c.late = nil
}

// Prepare is for database/sql before contexts.
func (c *safeConn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext prepares a statement that the caller closes.
func (c *safeConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.pg.PrepareContext(ctx, text)
	if err = o.end(err); err != nil {
		return nil, err
	}
	return &safeStmt{pg: s.(pgStmt), c: c}, nil
}

// safeStmt is a statement prepared by the caller.
type safeStmt struct {
	pg pgStmt
	c  *safeConn
}

func (s *safeStmt) NumInput() int                              { return s.pg.NumInput() }
func (s *safeStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }
func (s *safeStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.ErrUnsupported }

// Close waits for rows that are being read. pgdriver would mix the two up, and hand the description of the columns, by
// which the rows are still decoded, to whoever comes next on any connection. On a dead connection nothing is left to do.
func (s *safeStmt) Close() error {
	c := s.c
	switch {
	case c.gone():
		return nil
	case c.busy:
		c.late = append(c.late, s)
		return nil
	}
	o, err := c.begin(context.Background())
	if err != nil {
		return err
	}
	return o.end(c.closeStmt(s.pg))
}

func (s *safeStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	o, err := s.c.begin(ctx)
	if err != nil {
		return nil, err
	}
	r, err := s.pg.ExecContext(ctx, args)
	return r, o.end(err)
}

func (s *safeStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	o, err := s.c.begin(ctx)
	if err != nil {
		return nil, err
	}
	r, err := s.pg.QueryContext(ctx, args)
	if err != nil {
		return nil, o.end(err)
	}
	return &safeRows{pg: r, o: o}, nil
}

// safeRows are rows being read; the operation goes on until they end.
type safeRows struct {
	pg      driver.Rows
	o       operation
	columns []string
	done    bool
}

// Columns returns a copy: pgdriver uses the slice again for another query as soon as these rows end, which a cancelled
// context can do while the caller is still scanning by name.
func (r *safeRows) Columns() []string {
	if r.columns == nil {
		r.columns = slices.Clone(r.pg.Columns())
	}
	return r.columns
}

// Next reads a row. After a value that pgdriver cannot decode, such as the timestamp infinity, it stands in the middle of
// a message; pgdriver would take the rest of the value for the next message. So any error ends the rows, and end decides
// about the connection.
func (r *safeRows) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	err := r.pg.Next(dest)
	if err == nil {
		return nil
	}
	r.done = true
	if err == io.EOF { //nolint:errorlint // a driver's EOF is bare
		if err = r.o.end(nil); err != nil {
			return err
		}
		return io.EOF
	}
	return r.o.end(err)
}

// Close reads the rest, however long: the alternative would be to close the connection, and with it the caller's
// transaction and locks. Cancelling the context still stops it. Unlike pgdriver's, it keeps the connection if what comes
// at the end is an error of the server's.
func (r *safeRows) Close() error {
	for {
		switch err := r.Next(nil); err { //nolint:errorlint // see Next
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// Begin is for database/sql before contexts.
func (c *safeConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. If that fails, BEGIN may have succeeded and only the isolation level failed: pgdriver
// would give the open transaction back to the pool.
func (c *safeConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	_, err = c.pg.BeginTx(ctx, opts)
	if err = o.end(err); err != nil {
		c.kill()
		return nil, err
	}
	c.inTx, c.failure = true, nil
	return safeTx{c}, nil
}

type safeTx struct{ c *safeConn }

// Commit ends the transaction. Postgres answers the COMMIT of an aborted transaction with ROLLBACK and no error, and
// pgdriver does not look. A statement before it does fail; it is sent along only if one has failed before.
func (t safeTx) Commit() error {
	c, text := t.c, "COMMIT"
	failure := c.failure
	if failure != nil {
		text = "SELECT 1; COMMIT"
	}
	o, err := c.begin(context.Background())
	if err != nil {
		return fmt.Errorf("db: nothing was committed: %w", err)
	}
	c.inTx = false
	_, err = c.pg.ExecContext(context.Background(), text, nil)
	err = o.end(err)
	var lost *connError
	switch {
	case state(err, 'C') == "25P02":
		return fmt.Errorf("%w: %w", errAborted, failure)
	case errors.As(err, &lost):
		return &connError{fmt.Errorf("it is unknown whether the transaction was committed: %w", lost.cause)}
	}
	return err
}

// Rollback always succeeds: if Postgres cannot be told, it rolls back what a closed connection leaves behind.
func (t safeTx) Rollback() error {
	c := t.c
	o, err := c.begin(context.Background())
	if err == nil {
		c.inTx = false
		_, err = c.pg.ExecContext(context.Background(), "ROLLBACK", nil)
		err = o.end(err)
	}
	if err != nil {
		c.kill()
	}
	return nil
}

// target is what a database URL says.
type target struct {
	conf     *pgdriver.Config
	settings map[string]string // parameters of the session
	hint     string
}

// errURL never quotes the URL, as url.Parse's errors do: it holds the password.
var errURL = errors.New("db: the database URL is not of the form postgres://user:password@host:port/database?sslmode=…, " +
	"with what is special in the password percent-encoded")

// settingName is the form of a parameter's name. What has another form may be a piece of a password with a ? in it.
var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// parseURL reads a URL as libpq does, in so far as pgdriver can keep what it says. pgdriver's own parser knows neither
// socket directories nor IPv6 addresses and does not verify certificates unless asked. Names without a meaning here
// become parameters of the session, which Postgres refuses if they have none there. The environment is not consulted.
func parseURL(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Opaque != "" || u.Fragment != "" {
		return target{}, errURL
	}
	p, err := urlParams(u)
	if err != nil {
		return target{}, err
	}
	t := target{settings: p, conf: &pgdriver.Config{
		User: p.take("user"), Password: p.take("password"), Database: p.take("dbname"),
		AppName: p.take("application_name"), DialTimeout: connectTimeout, BufferSize: bufferSize,
		Dialer: new(net.Dialer).DialContext,
	}}
	host, port := p.take("host"), p.take("port")
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || t.conf.User == "" || host == "" || strings.Contains(host, ",") {
		return target{}, errors.New("db: the database URL must name one user, one host or socket, and at most one port from 1 to 65535")
	}
	if t.conf.Database == "" {
		t.conf.Database = t.conf.User
	}
	t.conf.Network, t.conf.Addr = "tcp", net.JoinHostPort(host, port)
	if host[0] == '/' {
		t.conf.Network, t.conf.Addr = "unix", host
		if !strings.HasPrefix(path.Base(host), ".s.PGSQL.") {
			t.conf.Addr = path.Join(host, ".s.PGSQL."+port)
		}
	}
	if s := p.take("connect_timeout"); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n == 0 {
			return target{}, errors.New("db: connect_timeout in the database URL is not a number of seconds")
		}
		t.conf.DialTimeout = time.Duration(n) * time.Second
	}
	t.conf.TLSConfig, t.hint, err = tlsConfig(p, host)
	return t, err
}

// params are the parts of a URL by their libpq names.
type params map[string]string

func (p params) take(name string) string {
	v := p[name]
	delete(p, name)
	return v
}

// urlOptions collects them; what is after the ? wins, as in libpq.
func urlParams(u *url.URL) (params, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errURL
	}
	password, _ := u.User.Password()
	p := params{
		"user": u.User.Username(), "password": password, "host": u.Hostname(), "port": cmp.Or(u.Port(), "5432"),
		"dbname": strings.TrimPrefix(u.Path, "/"), "application_name": "roster",
	}
	for name, values := range q {
		if !settingName.MatchString(name) || len(values) != 1 {
			return nil, errURL
		}
		p[name] = values[0]
	}
	for _, v := range p {
		if strings.ContainsRune(v, 0) { // pgdriver would send what follows as further startup parameters
			return nil, errURL
		}
	}
	return p, nil
}

// tlsConfig is what sslmode asks for.
//
//   - disable: no TLS. Nor on a Unix socket, whatever the mode, as in libpq.
//   - require: encrypted, but with whoever answers. With sslrootcert it means verify-ca, as in libpq.
//   - verify-ca: the certificate is signed by sslrootcert. Without a file any public authority would do, which
//     proves nothing when the name is not checked, so that it is refused.
//   - verify-full: and it is for this host. Without sslrootcert, or with "system", by an authority of this machine.
//   - prefer, allow or nothing: libpq would fall back to plain text if the server, or anyone in between, says so.
//     pgdriver cannot, and we would not want to. On this machine that is no loss, so no TLS is used; elsewhere they
//     mean verify-full, because the strict guess fails loudly and the weak one silently.
func tlsConfig(p params, host string) (c *tls.Config, hint string, err error) {
	mode, root, cert, key := p.take("sslmode"), p.take("sslrootcert"), p.take("sslcert"), p.take("sslkey")
	switch mode {
	case "", "prefer", "allow":
		if root == "" && cert == "" && isLoopback(host) {
			return nil, "", nil
		}
		mode, hint = "verify-full", " (sslmode was taken to be verify-full: set it in the database URL)"
	case "require":
		if root != "" {
			mode = "verify-ca"
		}
	case "disable", "verify-ca", "verify-full":
	default:
		return nil, "", errors.New("db: sslmode in the database URL is none of disable, require, verify-ca, verify-full")
	}
	if mode == "disable" || host[0] == '/' {
		return nil, "", nil
	}
	c = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if root != "" && root != "system" {
		pem, err := os.ReadFile(root)
		if err != nil {
			return nil, "", fmt.Errorf("db: sslrootcert: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, "", fmt.Errorf("db: sslrootcert: no certificate in %s", root)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, "", fmt.Errorf("db: sslcert and sslkey: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch {
	case mode == "verify-ca" && c.RootCAs == nil:
		return nil, "", errors.New("db: this sslmode needs a file as sslrootcert; verify-full can do without")
	case mode == "verify-ca":
		c.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, c.RootCAs) }
		c.InsecureSkipVerify = true
	case mode == "require":
		c.InsecureSkipVerify = true
	}
	return c, hint, nil
}

// verifyChain is what crypto/tls does by itself, except for the name.
func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// isLoopback reports whether the host is this machine, by socket or by network.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host[0] == '/' || host == "localhost" || ip != nil && ip.IsLoopback()
}
