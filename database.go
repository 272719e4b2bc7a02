package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"roster/db"
	"roster/internal/config"
	"roster/internal/directory"
	"roster/internal/embedded"
	"roster/internal/webhook"
)

const (
	databaseName = "roster" // of the database that the embedded Postgres comes with
	stopTime     = 30 * time.Second
)

// database is the Postgres that a command works on.
type database struct {
	url      string
	store    *db.Store
	postgres *postgres // nil: it is somebody else's
	webhooks *webhook.Sender

	standbys *directory.Standbys // nil: none
	watching []*db.Store         // what is open for their sake
}

// errPooled is what a pooler that gives connections for a transaction at a time is no way for.
var errPooled = errors.New("the schema is older than this program, or was restored into another Postgres: run `roster migrate` with the URL of the database itself, without DATABASE_POOLED")

// reach finds Postgres, or starts it; open also makes it ready to work on.
func (p *program) reach(ctx context.Context) (*database, error) {
	d := &database{url: p.config.DatabaseURL.Reveal()}
	if d.url == "" {
		pg, err := startPostgres(ctx, p.config, p.log)
		if err != nil {
			return nil, err
		}
		d.url, d.postgres = pg.url, pg
	}
	var err error
	if d.store, err = db.Open(db.Options{URL: d.url, Pooled: p.config.DatabasePooled, OnDone: p.onDone}); err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	return d, nil
}

func (p *program) open(ctx context.Context) (*database, error) {
	d, err := p.reach(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.prepare(ctx, p); err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	return d, nil
}

// prepare makes sure that the schema is the one this program was built for.
func (d *database) prepare(ctx context.Context, p *program) error {
	if err := d.store.Usable(ctx); err != nil {
		return err
	}
	current, err := d.store.Current(ctx)
	switch {
	case err == nil && current:
		return d.settle(ctx, p)
	case p.config.DatabasePooled:
		return errPooled
	case !p.config.Migrate: // an error: there is no schema at all
		return errors.New("the schema is older than this program: run `roster migrate`")
	}
	n, err := db.Migrate(ctx, d.url)
	if n > 0 {
		p.log.Info("migrated", "count", n)
	}
	if err != nil {
		return err
	}
	return d.settle(ctx, p)
}

// settle makes a database that was restored into another Postgres at home there.
func (d *database) settle(ctx context.Context, p *program) error {
	ahead, err := d.store.LogAhead(ctx)
	if err != nil || !ahead {
		return err
	}
	if p.config.DatabasePooled {
		return errPooled
	}
	moved, err := db.Settle(ctx, d.url)
	if moved > 0 {
		p.log.Warn("this database comes from another Postgres: its change log was moved before all that is written here, and begins a new epoch", "changes", moved)
	}
	return err
}

// follow opens the standbys, and the connections by which they and the primary are looked at.
func (d *database) follow(p *program) error {
	c := p.config
	urls := config.URLs(c.Standbys)
	if len(urls) == 0 {
		return nil
	}
	open := func(o db.Options) (*db.Store, error) {
		s, err := db.Open(o)
		if err == nil {
			d.watching = append(d.watching, s)
		}
		return s, err
	}
	const look = time.Second
	primary, err := open(db.Options{URL: d.url, Pooled: c.DatabasePooled, MaxConns: 1, StatementTimeout: look})
	s := directory.StandbyConfig{Primary: primary, MaxLag: c.MaxLag, Wait: c.ReplicaWait, Alone: c.ReadsAlone, OnChange: changed(p.log)}
	for _, url := range urls {
		reads, rerr := open(db.Options{URL: url, OnDone: p.onDone})
		watch, werr := open(db.Options{URL: url, MaxConns: 1, StatementTimeout: look})
		s.All, err = append(s.All, directory.StandbyPool{Reads: reads, Watch: watch}), errors.Join(err, rerr, werr)
	}
	d.standbys = directory.NewStandbys(s)
	return err
}

// changed logs which servers of the database are used.
func changed(log *slog.Logger) func(server int, err error) {
	return func(server int, err error) {
		switch {
		case server == 0 && err != nil:
			log.Error("the database does not answer: replicas answer reads alone", "cause", err)
		case server == 0:
			log.Info("the database answers again")
		case err != nil:
			log.Warn("a replica is not used", "replica", server, "cause", err)
		default:
			log.Info("a replica is used again", "replica", server)
		}
	}
}

// directory is the domain on this database.
func (d *database) directory(ctx context.Context, p *program) (*directory.Service, error) {
	c, log := p.config, p.log
	key, previous, err := d.tokenKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	allow, err := webhook.ParseAllow(c.WebhooksAllow)
	if err != nil {
		return nil, err
	}
	d.webhooks = webhook.New(allow, p.observer)
	return directory.New(directory.Config{Store: d.store, TokenKey: key, PreviousTokenKeys: previous, MaxTokenLife: c.MaxTokenLife,
		RestoreWithin: time.Duration(c.RestoreDays) * 24 * time.Hour, Webhooks: d.webhooks, Standbys: d.standbys,
		OnFeedError: func(err error) { log.Warn("the change log cannot be read: streams wait", "cause", err) },
		OnWebhook:   func(id string, err error) { log.Warn("webhook", "webhook", id, "cause", err) }}), nil
}

// tokenKeys are the key of token hashes and those before it. One that the database keeps was before any that is configured.
func (d *database) tokenKeys(ctx context.Context, c config.Config) (key []byte, previous [][]byte, err error) {
	for _, k := range config.Keys(c.PreviousTokenKeys) {
		previous = append(previous, []byte(k))
	}
	if c.TokenKey == "" {
		key, err = directory.TokenKey(ctx, d.store)
		return key, previous, err
	}
	kept, err := directory.KeptTokenKey(ctx, d.store)
	if kept != nil {
		previous = append(previous, kept)
	}
	return []byte(c.TokenKey.Reveal()), previous, err
}

// died says so if Postgres ends under us. Of one that is not ours, the store will tell.
func (d *database) died() <-chan error {
	if d.postgres == nil {
		return nil
	}
	return d.postgres.died
}

// close ends what this process had to start, also after it was asked to end itself.
func (d *database) close(ctx context.Context) error {
	var errs []error
	if d.webhooks != nil {
		d.webhooks.Close()
	}
	for _, s := range d.watching {
		errs = append(errs, s.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.postgres != nil {
		errs = append(errs, d.postgres.close(ctx))
	}
	return errors.Join(errs...)
}

// postgres is the embedded Postgres for as long as this process needs it. One that another process runs ends with that
// process, a command perhaps that is done; then it is taken over, at the same address.
type postgres struct {
	url    string
	died   chan error // holds one error at most
	config embedded.Config
	log    *slog.Logger

	server *embedded.Postgres // watch's, until watching is done
	leave  context.CancelFunc
	watch  sync.WaitGroup
}

func startPostgres(ctx context.Context, c config.Config, log *slog.Logger) (*postgres, error) {
	p := &postgres{died: make(chan error, 1), log: log, config: embedded.Config{
		Dir: c.Data, PGBin: c.PGBin, Durable: true,
		Log: func(format string, args ...any) { log.Info(fmt.Sprintf(format, args...)) },
	}}
	var err error
	if p.server, err = embedded.Start(ctx, p.config); err != nil {
		return nil, err
	}
	p.url = p.server.URL(databaseName)
	watching, leave := context.WithCancel(context.WithoutCancel(ctx))
	p.leave = leave
	p.watch.Go(func() { p.keep(watching) })
	return p, nil
}

// keep returns when Postgres has ended for good, or ctx is done.
func (p *postgres) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.server.Done():
		}
		if !p.server.Joined() {
			p.died <- fmt.Errorf("the embedded Postgres ended by itself; %s may say why", filepath.Join(p.config.Dir, "postgres.log"))
			return
		}
		p.log.Warn("the process that ran Postgres has ended: taking it over")
		next, err := embedded.Start(ctx, p.config)
		if err != nil {
			p.died <- err
			return
		}
		p.server = next
		if url := next.URL(databaseName); url != p.url {
			p.died <- errors.New("the embedded Postgres came back at another address")
			return
		}
		p.log.Info("Postgres was taken over")
	}
}

// close ends Postgres if it is ours.
func (p *postgres) close(ctx context.Context) error {
	p.leave()
	p.watch.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return p.server.Stop(ctx)
}
